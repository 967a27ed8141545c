"""Several ports of a kind as one: the next stands in where one fails, equals share the work."""
