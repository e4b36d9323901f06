// Package all lists the vendors that the program has. A new one is a folder
// beside this, and a line here.
package all

import (
	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/directory"
	"github.com/driftback/driftback/vendors/genesyscloud"
	"github.com/driftback/driftback/vendors/resource"
)

// Vendors returns them by the name under which the configuration file knows them.
func Vendors() map[string]vendors.OpenFunc {
	return map[string]vendors.OpenFunc{
		"directory":    directory.Open,
		"genesyscloud": genesyscloud.Open,
	}
}

// Kinds returns, by the same names, what tells a vendor's kinds from its part of the configuration file alone:
// nothing is opened and nobody is asked.
func Kinds() map[string]func(decode func(any) error) ([]resource.KindInfo, error) {
	return map[string]func(decode func(any) error) ([]resource.KindInfo, error){
		"directory":    directory.Describe,
		"genesyscloud": genesyscloud.Describe,
	}
}
