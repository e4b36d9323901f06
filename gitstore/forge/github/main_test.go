package github_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a goroutine outlives the tests, and when a permission is asked for that no test needed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if left := unused(); code == 0 && everything() && len(left) > 0 {
			fmt.Fprintln(os.Stderr, "FAIL: permissions that are asked for and never needed:", left)
			code = 1
		}
		os.Exit(code)
	}))
}
