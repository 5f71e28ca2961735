{{ published(source('gold', 'cohort_retention')) }}
