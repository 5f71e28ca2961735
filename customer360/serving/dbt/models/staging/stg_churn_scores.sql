{{ published(source('gold', 'churn_scores')) }}
