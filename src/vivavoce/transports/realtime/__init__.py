"""The door for clients of OpenAI's Realtime protocol (GA): ``WS /v1/realtime``, on the same conversation as every other."""
