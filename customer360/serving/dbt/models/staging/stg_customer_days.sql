{{ published(source('silver', 'customer_days')) }}
