"""What goes wrong on purpose: said in a line (`grammar`), chosen (`plan`), played out (`script`, `standing`)."""
