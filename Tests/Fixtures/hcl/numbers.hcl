decimal = 42
negative = -7
hex = 0xFF
octal = 017
fraction = 2.50
exponent = 1e3
small = .5
