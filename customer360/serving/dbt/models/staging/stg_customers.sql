{{ published(source('silver', 'customers')) }}
