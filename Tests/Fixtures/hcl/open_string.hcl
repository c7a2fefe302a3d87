name = "no end
