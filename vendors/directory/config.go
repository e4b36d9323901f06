package directory

import (
	"fmt"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/driftback/driftback/vendors/resource"
)

// Config is what stands under directory: in the configuration file.
type Config struct {
	// Root is the directory whose files are the configuration.
	Root string `yaml:"root" jsonschema:"required,description=directory whose files are the configuration"`
	// Include and Exclude are globs over names relative to the root; no include means every file.
	Include []string `yaml:"include,omitempty" jsonschema:"description=globs of the files that are managed; ** crosses folders; none means all"`
	Exclude []string `yaml:"exclude,omitempty" jsonschema:"description=globs of the files that are left alone"`
	Reload  *Reload  `yaml:"reload,omitempty" jsonschema:"description=how the server takes over what is stored"`
	// Settle is how long a file must have been left alone before it is read as finished.
	Settle *Duration `yaml:"settle,omitempty" jsonschema:"type=string,description=how long a file must be unchanged before it is recorded; 1s"`
	// FileMode is the mode of files that are created; those that are changed keep theirs.
	FileMode FileMode `yaml:"fileMode,omitempty" jsonschema:"type=string,description=mode of new files in octal; 0644"`
	// MaxFileSize bounds what is managed.
	MaxFileSize Size `yaml:"maxFileSize,omitempty" jsonschema:"type=string,description=larger files are left alone; 1MiB"`
}

// Resolve makes a relative root one below dir, the folder of the configuration file. Commands and their
// arguments stay as they are.
func (c *Config) Resolve(dir string) {
	if c.Root != "" && !filepath.IsAbs(c.Root) {
		c.Root = filepath.Join(dir, c.Root)
	}
}

// Reload is how the server takes over what is stored: exactly one of HTTP and Command.
type Reload struct {
	HTTP    *Request  `yaml:"http,omitempty" jsonschema:"description=a request that makes the server reload; its answer is the verdict"`
	Command []string  `yaml:"command,omitempty" jsonschema:"description=a program and its arguments; no shell"`
	Check   *Check    `yaml:"check,omitempty" jsonschema:"description=asked before the reload; may refuse it"`
	Timeout *Duration `yaml:"timeout,omitempty" jsonschema:"type=string,description=for the check and for the reload; 30s"`
}

// Check says whether what is stored would run: exactly one of HTTP and Command.
type Check struct {
	HTTP    *Request `yaml:"http,omitempty" jsonschema:"description=a request that is answered with 2xx if all is well"`
	Command []string `yaml:"command,omitempty" jsonschema:"description=a program that exits with 0 if all is well; no shell"`
}

// Request is an HTTP request without a body.
type Request struct {
	URL     string            `yaml:"url" jsonschema:"required"`
	Method  string            `yaml:"method,omitempty" jsonschema:"description=POST"`
	Headers map[string]string `yaml:"headers,omitempty"`
}

// The defaults of Config.
const (
	defaultSettle  = time.Second
	defaultMode    = FileMode(0o644)
	defaultMaxSize = Size(1 << 20)
	defaultTimeout = 30 * time.Second
)

// Duration is a time.Duration written as 500ms, 1s, 2m.
type Duration time.Duration

// UnmarshalText reads the notation of time.ParseDuration; negative ones are refused.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q: want a duration such as 500ms or 1s", b)
	}
	*d = Duration(v)
	return nil
}

// FileMode is a file's permissions, written in octal.
type FileMode os.FileMode

// UnmarshalYAML reads octal digits as they stand in the file, with or without quotes: what YAML
// takes 0644 for depends on its version.
func (m *FileMode) UnmarshalYAML(b []byte) error {
	text := strings.Trim(strings.TrimSpace(string(b)), `"'`)
	v, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 32)
	if err != nil || v == 0 || v > 0o777 {
		return fmt.Errorf("%q: want permissions in octal such as 0644", b)
	}
	*m = FileMode(v)
	return nil
}

// Size is a number of bytes, written plainly or with KiB, MiB or GiB.
type Size int64

// UnmarshalText reads a positive number with its unit.
func (s *Size) UnmarshalText(b []byte) error {
	text, unit := string(b), int64(1)
	for u, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if t, ok := strings.CutSuffix(text, u); ok {
			text, unit = strings.TrimSpace(t), n
		}
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v <= 0 || v > math.MaxInt64/unit {
		return fmt.Errorf("%q: want a size such as 512KiB or 1MiB", b)
	}
	*s = Size(v * unit)
	return nil
}

// complete puts the defaults in and reports the first value that cannot be.
func (c *Config) complete() error {
	if c.Root == "" {
		return fmt.Errorf("root: missing")
	}
	for field, globs := range map[string][]string{"include": c.Include, "exclude": c.Exclude} {
		for _, g := range globs {
			if !resource.ValidGlob(g) {
				return fmt.Errorf("%s: %q is no glob; it is relative to the root, such as rules/**/*.yml", field, g)
			}
		}
	}
	if c.Settle == nil {
		d := Duration(defaultSettle)
		c.Settle = &d
	}
	if c.FileMode == 0 {
		c.FileMode = defaultMode
	}
	if c.MaxFileSize == 0 {
		c.MaxFileSize = defaultMaxSize
	}
	if c.Reload == nil {
		return nil
	}
	if err := oneOf(c.Reload.HTTP, c.Reload.Command); err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	if k := c.Reload.Check; k != nil {
		if err := oneOf(k.HTTP, k.Command); err != nil {
			return fmt.Errorf("reload.check: %w", err)
		}
	}
	return nil
}

// oneOf checks that there is exactly one of both, and that it can be used.
func oneOf(r *Request, command []string) error {
	if (r == nil) == (len(command) == 0) {
		return fmt.Errorf("want either http or command")
	}
	if r == nil {
		if _, err := exec.LookPath(command[0]); err != nil {
			return fmt.Errorf("command: %w", err)
		}
		return nil
	}
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("http: url: want http://HOST/PATH or https://HOST/PATH")
	}
	return nil
}
