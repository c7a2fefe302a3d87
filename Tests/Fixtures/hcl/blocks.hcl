# every way to write a block
alpha { one = 1 }
beta = { two = 2, three = 3, }
gamma "x" "y" {}
delta epsilon { "quoted key" = true }
