package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/metrics"
)

const docs = "../../docs"

func readDoc(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// names returns the metrics that there are, by describing a fresh registry.
func names(t *testing.T) []string {
	t.Helper()
	var out []string
	reg := &describing{seen: &out}
	metrics.New(reg)
	require.NotEmpty(t, out)
	return out
}

// A describing registerer notes the names of what is registered.
type describing struct{ seen *[]string }

var fqName = regexp.MustCompile(`fqName: "([a-z_]+)"`)

func (d *describing) Register(c prometheus.Collector) error {
	ch := make(chan *prometheus.Desc, 16)
	c.Describe(ch)
	close(ch)
	for desc := range ch {
		*d.seen = append(*d.seen, fqName.FindStringSubmatch(desc.String())[1])
	}
	return nil
}

func (d *describing) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		_ = d.Register(c) // it returns nil
	}
}

func (d *describing) Unregister(prometheus.Collector) bool { return false }

var metricName = regexp.MustCompile(`driftback_[a-z_]+`)

func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	page := readDoc(t, docs+"/metrics.md")
	has := names(t)
	for _, n := range has {
		require.Contains(t, page, "`"+n, "docs/metrics.md")
	}
	for _, file := range []string{docs + "/metrics.md", docs + "/alerts/driftback.rules.yml"} {
		for _, n := range metricName.FindAllString(readDoc(t, file), -1) {
			require.Contains(t, has, n, file)
		}
	}
}

// The alert rules fire when they should, by Prometheus' own test tool.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	promtool := tool(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "driftback.rules.yml"}, {"test", "rules", "driftback.rules_test.yml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = docs + "/alerts"
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	// Each rule has a test that sees it fire.
	tests := readDoc(t, docs+"/alerts/driftback.rules_test.yml")
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert string }
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(readDoc(t, docs+"/alerts/driftback.rules.yml")), &rules))
	for _, r := range rules.Groups[0].Rules {
		require.Contains(t, tests, "alertname: "+r.Alert+"\n", "no test sees it fire")
	}
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// Every configuration in the documentation is one that the program takes.
func TestDocumentedConfigurations(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob(docs + "/*.md")
	require.NoError(t, err)
	checked := 0
	for _, p := range append(pages, "../../README.md") {
		for _, m := range yamlBlock.FindAllStringSubmatch(readDoc(t, p), -1) {
			if !strings.Contains(m[1], "repository:") {
				continue // a part, or a file of the repository
			}
			_, err := parseConfig(p, []byte(m[1]))
			require.NoError(t, err, p)
			checked++
		}
	}
	require.GreaterOrEqual(t, checked, 2)
}

// Every key of the configuration is in the reference.
func TestConfigurationKeysAreDocumented(t *testing.T) {
	t.Parallel()
	page := readDoc(t, docs+"/configuration.md")
	for _, def := range configSchema().Definitions {
		if def.Properties == nil {
			continue
		}
		for p := def.Properties.Oldest(); p != nil; p = p.Next() {
			require.Contains(t, page, "`"+p.Key, "docs/configuration.md")
		}
	}
}

var linkTarget = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// Links between the pages lead somewhere.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob(docs + "/*.md")
	require.NoError(t, err)
	decisions, err := filepath.Glob(docs + "/decisions/*.md")
	require.NoError(t, err)
	for _, p := range slices.Concat(pages, decisions, []string{"../../README.md", "../../CONTRIBUTING.md", "../../CHANGELOG.md"}) {
		for _, m := range linkTarget.FindAllStringSubmatch(readDoc(t, p), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(p), m[1]))
			require.NoError(t, err, "%s links to %s", p, m[1])
		}
	}
}

var testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`")

// Every test that the page of promises names is there.
func TestPromisesNameTheirTests(t *testing.T) {
	t.Parallel()
	has := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\(`)
	require.NoError(t, filepath.WalkDir("../..", func(p string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, "_test.go") {
			return err
		}
		for _, m := range declared.FindAllStringSubmatch(readDoc(t, p), -1) {
			has[m[1]] = true
		}
		return nil
	}))
	found := testName.FindAllStringSubmatch(readDoc(t, docs+"/promises.md"), -1)
	require.NotEmpty(t, found)
	for _, m := range found {
		require.True(t, has[m[1]], "docs/promises.md names %s, which is not there", m[1])
	}
}
