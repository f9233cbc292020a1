"""The Shapes of the types that we know, one family to a module. Importing a module registers its family."""
