{{ published(source('gold', 'business_health')) }}
