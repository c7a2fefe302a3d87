plain = <<TEXT
one
  two
TEXT
indented = <<-TEXT
    three
      four
    TEXT
