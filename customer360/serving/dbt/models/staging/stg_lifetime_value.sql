{{ published(source('gold', 'lifetime_value')) }}
