empty = []
mixed = [1, "two", 3.0, true, { k = "v" }, ["inner"],]
commented = [
  "a", # first
  /* second */ "b",
]
