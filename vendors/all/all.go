// Package all lists the vendors that the program has. A new one is a folder
// beside this, and a line here.
package all

import (
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/directory"
)

// Vendors returns them by the name under which the configuration file knows them.
func Vendors() map[string]vendors.OpenFunc {
	return map[string]vendors.OpenFunc{
		"directory": directory.Open,
	}
}
