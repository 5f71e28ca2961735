-- Without it nobody would count as suppressed: a list is rather not made.
{{ published(source('serving', 'suppressed_customers'), required=true) }}
