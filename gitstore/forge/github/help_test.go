package github_test

import "context"

// token is a token that does not change.
func token(s string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return s, nil }
}
