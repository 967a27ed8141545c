"""Language models, speech to text and text to speech by the API that OpenAI published and many others serve."""
