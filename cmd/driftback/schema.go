package main

import (
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"
	"github.com/spf13/cobra"
)

func (c *cli) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of driftback.yaml",
		Long: `Print the JSON schema of driftback.yaml, for editors: save it beside the file and begin the file with
  # yaml-language-server: $schema=driftback.schema.json`,
		Example: "  driftback schema > driftback.schema.json",
		GroupID: "other",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b, err := json.MarshalIndent(configSchema(), "", "  ")
			if err != nil {
				return fmt.Errorf("schema: %w", err)
			}
			_, err = fmt.Fprintf(c.stdout, "%s\n", b)
			return err
		},
	}
}

// configSchema describes config. What stands under a vendor's name is the
// vendor's: the schema says only that it is a mapping.
func configSchema() *jsonschema.Schema {
	r := &jsonschema.Reflector{FieldNameTag: "yaml", Anonymous: true}
	s := r.Reflect(&config{})
	s.Title = "driftback.yaml"
	if env, ok := s.Definitions["environment"]; ok {
		env.AdditionalProperties = &jsonschema.Schema{Type: "object"}
	}
	return s
}
