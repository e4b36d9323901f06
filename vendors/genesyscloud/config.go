package genesyscloud

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is what stands under genesyscloud: in the configuration file.
type Config struct {
	// Region is the domain of the platform's region, or the name of the cloud region behind it.
	Region       string `yaml:"region,omitempty" jsonschema:"description=domain of the region such as mypurecloud.ie or usw2.pure.cloud; or its name such as eu-west-1"`
	ClientID     string `yaml:"clientId" jsonschema:"required,description=of an OAuth client for client credentials"`
	ClientSecret string `yaml:"clientSecret" jsonschema:"required,description=where the client's secret is to be found: env:NAME"`
	// Gateway stands in for the region's two hosts: a proxy, or a simulator.
	Gateway string `yaml:"gateway,omitempty" jsonschema:"description=URL that stands in for the region's hosts; https, or http on this machine"`
	// Include names what is managed besides: kinds, and parts of kinds as KIND.PART.
	Include []string `yaml:"include,omitempty" jsonschema:"description=what is managed only on request: user, datatablerow, queue.members, user.skills, user.languages, user.roles"`
	// RequestsPerMinute is the client's budget.
	RequestsPerMinute int `yaml:"requestsPerMinute,omitempty" jsonschema:"minimum=10,maximum=300,description=300"`
	// Full is the longest time between two readings of everything.
	Full *Duration `yaml:"full,omitempty" jsonschema:"type=string,description=how old the last full reading may be; until then only what the platform's audit names is read; 1h; 0s reads everything each time"`
	// Parts is the longest time between two readings of what is kept apart from an object.
	Parts *Duration `yaml:"parts,omitempty" jsonschema:"type=string,description=how old what is kept apart from an object (wrap-up codes and members of a queue) may be while nothing shows that it changed; 6h; 0s reads it each time that everything is read"`
}

// Duration is a time.Duration written as 10m or 1h.
type Duration time.Duration

// UnmarshalText reads the notation of time.ParseDuration, from 0 to 24 hours.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 || v > 24*time.Hour {
		return fmt.Errorf("%q: want a duration from 0s to 24h such as 1h", b)
	}
	*d = Duration(v)
	return nil
}

// defaultFull is how old the last full reading may grow, defaultParts what was read apart from objects.
const (
	defaultFull  = Duration(time.Hour)
	defaultParts = Duration(6 * time.Hour)
)

// regions are the platform's public regions: the cloud region behind each, and its domain. The API answers at api.DOMAIN, the
// login at login.DOMAIN. A test holds this table against the vendor's own client.
var regions = map[string]string{
	"us-east-1":      "mypurecloud.com",
	"us-east-2":      "use2.us-gov-pure.cloud",
	"us-west-2":      "usw2.pure.cloud",
	"ca-central-1":   "cac1.pure.cloud",
	"sa-east-1":      "sae1.pure.cloud",
	"mx-central-1":   "mxc1.pure.cloud",
	"eu-west-1":      "mypurecloud.ie",
	"eu-west-2":      "euw2.pure.cloud",
	"eu-central-1":   "mypurecloud.de",
	"eu-central-2":   "euc2.pure.cloud",
	"eusc-de-east-1": "edee1.eusc-pure.cloud",
	"me-central-1":   "mec1.pure.cloud",
	"ap-south-1":     "aps1.pure.cloud",
	"ap-southeast-1": "apse1.pure.cloud",
	"ap-southeast-2": "mypurecloud.com.au",
	"ap-northeast-1": "mypurecloud.jp",
	"ap-northeast-2": "apne2.pure.cloud",
	"ap-northeast-3": "apne3.pure.cloud",
}

// domain returns the domain of a region that is named by itself or by the cloud region.
func domain(region string) (string, bool) {
	if d, ok := regions[region]; ok {
		return d, true
	}
	for _, d := range regions {
		if d == region {
			return d, true
		}
	}
	return "", false
}

// addresses returns where the API and the login answer.
func (c *Config) addresses() (api, login string, err error) {
	if c.Gateway != "" {
		u, err := url.Parse(c.Gateway)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return "", "", errors.New("gateway: want a URL such as https://gateway.example.org")
		}
		if err := safe(u); err != nil {
			return "", "", fmt.Errorf("gateway: %w", err)
		}
		base := strings.TrimSuffix(u.String(), "/")
		return base, base + "/oauth/token", nil
	}
	d, ok := domain(c.Region)
	if !ok {
		return "", "", fmt.Errorf("region: %q is none of the platform's: %s", c.Region, strings.Join(slices.Sorted(maps.Values(regions)), ", "))
	}
	return "https://api." + d, "https://login." + d + "/oauth/token", nil
}

// safe refuses addresses to which a secret must not be sent: without encryption, and to another machine.
func safe(u *url.URL) error {
	if u.Scheme == "https" {
		return nil
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return errors.New("want https, or http on this machine")
}

// optIn are what Include may name; they follow from the table, which is constant.
var optIn = sync.OnceValue(func() []string {
	var out []string
	for _, k := range rows(hooks{}) {
		if k.OptIn {
			out = append(out, string(k.Kind))
		}
		for _, p := range k.Parts {
			if p.OptIn {
				out = append(out, string(k.Kind)+"."+p.Field)
			}
		}
	}
	return out
})

// complete puts the defaults in and reports the first value that cannot be.
func (c *Config) complete() error {
	if c.Region == "" && c.Gateway == "" {
		return errors.New("region: missing")
	}
	if c.Region != "" {
		if _, ok := domain(c.Region); !ok {
			return fmt.Errorf("region: %q is none of the platform's: %s", c.Region, strings.Join(slices.Sorted(maps.Values(regions)), ", "))
		}
	}
	if c.ClientID == "" {
		return errors.New("clientId: missing")
	}
	if c.ClientSecret == "" {
		return errors.New("clientSecret: missing")
	}
	if len(c.Include) > 0 {
		known := optIn()
		for _, name := range c.Include {
			if !slices.Contains(known, name) {
				return fmt.Errorf("include: %q is not managed on request: want one of %s", name, strings.Join(known, ", "))
			}
		}
	}
	if slices.ContainsFunc(c.Include, func(s string) bool { return strings.HasPrefix(s, "user.") }) && !slices.Contains(c.Include, string(user)) {
		return errors.New("include: parts of users are managed with user only; add it")
	}
	if n := c.RequestsPerMinute; n != 0 && (n < 10 || n > perMinute) {
		return fmt.Errorf("requestsPerMinute: %d: want 10 to %d", n, perMinute)
	}
	if c.Full == nil {
		full := defaultFull
		c.Full = &full
	}
	if c.Parts == nil {
		parts := defaultParts
		c.Parts = &parts
	}
	return nil
}
