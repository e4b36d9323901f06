//go:build !unix

// Package directory is the vendor for servers whose configuration is a tree of
// files. It needs a Unix system.
package directory

import (
	"context"
	"fmt"
	"runtime"

	"github.com/driftback/driftback/vendors"
)

// Open returns an error on this system.
func Open(context.Context, func(any) error) (vendors.Driver, error) {
	return nil, fmt.Errorf("directory: on %s: %w", runtime.GOOS, vendors.ErrUnsupported)
}
