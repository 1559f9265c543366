"""How much may be used: rates, daily budgets and slots, counted in this process or by all gateways together."""
