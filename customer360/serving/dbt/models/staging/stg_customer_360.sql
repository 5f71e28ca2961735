{{ published(source('gold', 'customer_360')) }}
