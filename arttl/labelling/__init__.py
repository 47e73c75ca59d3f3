"""Labels as catalogued to labels as learnt, and which of them a person should look at."""
