"""Who may do what: keys, links that prove themselves, paths that stay inside."""
