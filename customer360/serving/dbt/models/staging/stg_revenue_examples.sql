{{ published(source('gold', 'revenue_examples')) }}
