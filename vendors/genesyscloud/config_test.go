package genesyscloud

import (
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

func TestRegionsAreTheVendors(t *testing.T) {
	t.Parallel()
	require.Equal(t, readContract(t).Regions, regions)
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config     Config
		api, login string
	}{
		{Config{Region: "mypurecloud.ie"}, "https://api.mypurecloud.ie", "https://login.mypurecloud.ie/oauth/token"},
		{Config{Region: "us-west-2"}, "https://api.usw2.pure.cloud", "https://login.usw2.pure.cloud/oauth/token"},
		{Config{Gateway: "http://127.0.0.1:8080/"}, "http://127.0.0.1:8080", "http://127.0.0.1:8080/oauth/token"},
		{Config{Gateway: "https://gateway.example.org/gc"}, "https://gateway.example.org/gc", "https://gateway.example.org/gc/oauth/token"},
	} {
		api, login, err := c.config.addresses()
		require.NoError(t, err)
		require.Equal(t, c.api, api)
		require.Equal(t, c.login, login)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := Config{Region: "mypurecloud.de", ClientID: "id", ClientSecret: "s3cr3t"}
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Region = "" }, "region: missing"},
		{func(c *Config) { c.Region = "mypurecloud.xx" }, `region: "mypurecloud.xx" is none of the platform's: apne2.pure.cloud`},
		{func(c *Config) { c.ClientID = "" }, "clientId: missing"},
		{func(c *Config) { c.ClientSecret = "" }, "clientSecret: missing"},
		{func(c *Config) { c.Gateway = "http://gateway.example.org" }, "gateway: want https, or http on this machine"},
		{func(c *Config) { c.Gateway = "https://user:pass@gateway.example.org" }, "gateway: want a URL"},
		{func(c *Config) { c.Gateway = "ftp://127.0.0.1" }, "gateway: want https"},
		{func(c *Config) { c.Include = []string{"queue"} }, `include: "queue" is not managed on request: want one of user`},
		{func(c *Config) { c.Include = []string{"user.skills"} }, "include: parts of users are managed with user only"},
		{func(c *Config) { c.RequestsPerMinute = 301 }, "requestsPerMinute: 301: want 10 to 300"},
		{func(c *Config) { c.RequestsPerMinute = 9 }, "requestsPerMinute: 9"},
	} {
		bad := good
		c.change(&bad)
		_, err := New(bad, Options{})
		require.ErrorContains(t, err, c.want)
		require.NotContains(t, err.Error(), "s3cr3t")
		require.NotContains(t, err.Error(), "pass")
	}
	_, err := New(good, Options{})
	require.NoError(t, err)
	var d Duration
	require.Error(t, d.UnmarshalText([]byte("25h")))
	require.Error(t, d.UnmarshalText([]byte("-1s")))
	require.NoError(t, d.UnmarshalText([]byte("90m")))
}

func TestSecretsGoNowhereUnencrypted(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"https://a.example.org": true, "http://127.0.0.1:1": true, "http://[::1]:1": true, "http://localhost": true,
		"http://a.example.org": false, "http://127.0.0.1.example.org": false, "ws://127.0.0.1": false, "http://10.0.0.1": false,
	} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.Equal(t, ok, safe(u) == nil, address)
	}
}

// What is managed on request only is for reference otherwise, and nobody is asked to know.
func TestDescribe(t *testing.T) {
	t.Parallel()
	kinds := func(include ...string) map[resource.Kind]resource.KindInfo {
		out := map[resource.Kind]resource.KindInfo{}
		list, err := Describe(func(v any) error {
			*v.(*Config) = Config{Region: "mypurecloud.de", Include: include}
			return nil
		})
		require.NoError(t, err)
		for _, k := range list {
			out[k.Kind] = k
		}
		return out
	}
	plain, more := kinds(), kinds("user", "datatablerow")
	require.True(t, plain[user].ReferenceOnly)
	require.False(t, more[user].ReferenceOnly)
	require.False(t, slices.ContainsFunc(plain[user].Fields, func(f resource.Field) bool { return f.Secret }))
	require.False(t, more[datatablerow].ReferenceOnly)
	require.False(t, plain[flowoutcome].Can.Delete, "the platform cannot delete outcomes")
	require.False(t, plain[skill].Can.Rename, "a skill has its name for ever")
	require.True(t, plain[schedule].Can.Guard)
	require.False(t, plain[queue].Can.Guard)
}
