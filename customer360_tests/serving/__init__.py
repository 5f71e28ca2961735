"""What leaves the lakehouse: lists, contacts, tables; expected rows, published hashes, kills."""
