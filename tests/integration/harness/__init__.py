"""What the integration tests share: the agent under test, its neighbours, and ways to see the truth."""
