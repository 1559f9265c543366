"""The deny-list: words and patterns that nobody may send and, when that is on, no model may answer."""
