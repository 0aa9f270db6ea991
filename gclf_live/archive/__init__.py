"""Many files: worked through in parts, by several processes or machines, and continued after any end."""
