"""The catalogue of bad inputs: what users give, and the exact line they are told.

Each module declares the cases of one subject (`case.Case`: what is wrong, how it is made, the
command that meets it, the message); `rows` those that go to quarantine, with their reasons. The
test makes each input, runs the command and compares; `page` renders docs/bad-input.md from the same
declarations, so that it says nothing that no test has seen. What is tested here: that a message
says all that it should. Where many inputs of a kind must be refused, the tests of their readers
hold the rest.
"""
