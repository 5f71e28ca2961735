{{ published(source('gold', 'revenue_predictions')) }}
