package gitstore

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// serveSSHD starts Debian's sshd on the loopback, for this user and with one key, and returns its port and host key.
func serveSSHD(t *testing.T, client ssh.PublicKey) (port int, host ssh.PublicKey) {
	t.Helper()
	const sshd = "/usr/sbin/sshd"
	if _, err := os.Stat(sshd); err != nil {
		t.Skip("sshd is not installed: .ci/deps installs it")
	}
	dir := t.TempDir()
	signer, key := newKey(t)
	write := func(name string, content []byte) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, content, 0o600))
		return file
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port = l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	config := write("config", []byte(strings.Join([]string{
		"ListenAddress 127.0.0.1", "Port " + strconv.Itoa(port), "HostKey " + write("host", key),
		"AuthorizedKeysFile " + write("authorized", ssh.MarshalAuthorizedKey(client)), "PidFile none", "StrictModes no",
		"UsePAM no", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password",
	}, "\n")+"\n"))
	if os.Geteuid() == 0 { // where privileges are given up
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755))
	}
	cmd := exec.Command(sshd, "-D", "-e", "-f", config)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 10*time.Second, 20*time.Millisecond)
	return port, signer.PublicKey()
}

// The real sshd is believed with the right entry of known_hosts, and with no other.
func TestSSHD(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bare := newBare(t)
	client, key := newKey(t)
	stranger, strange := newKey(t)
	port, host := serveSSHD(t, client.PublicKey())
	whoami, err := exec.Command("id", "-un").Output()
	require.NoError(t, err)
	url := "ssh://" + strings.TrimSpace(string(whoami)) + "@127.0.0.1:" + strconv.Itoa(port) + bare
	entry := func(k ssh.PublicKey) []byte {
		return []byte("# our server\n[127.0.0.1]:" + strconv.Itoa(port) + " " + string(ssh.MarshalAuthorizedKey(k)))
	}
	s := open(t, Options{URL: url, Auth: Auth{SSHKey: key, KnownHosts: entry(host)}, Dir: filepath.Join(t.TempDir(), "mirror")})
	_, err = s.Sync(ctx)
	require.NoError(t, err)
	require.True(t, s.Atomic())
	c1, err := s.Commit(ctx, mainRef, ID{}, Edit{"a": []byte("1\n")}, ann, "one")
	require.NoError(t, err)
	require.NoError(t, s.Probe(ctx, "refs/heads/live/driftback-probe", c1.ID))
	require.NoError(t, s.Push(ctx, Update{"refs/heads/live/prod", ID{}, c1.ID}, Update{"refs/driftback/state/prod", ID{}, c1.ID}))
	require.ErrorIs(t, s.Push(ctx, Update{mainRef, ID{}, c1.ID}), ErrStale)
	require.Equal(t, "1", git(t, bare, "show", "live/prod:a"))
	fsck(t, bare)

	for name, hosts := range map[string][]byte{"unknown": nil, "forged": entry(stranger.PublicKey())} {
		s = open(t, Options{URL: url, Auth: Auth{SSHKey: key, KnownHosts: hosts}})
		_, err = s.Sync(ctx)
		require.ErrorContains(t, err, "knownhosts: key", name)
	}
	s = open(t, Options{URL: url, Auth: Auth{SSHKey: strange, KnownHosts: entry(host)}})
	_, err = s.Sync(ctx)
	require.ErrorIs(t, err, ErrAuth)
}

// An authority signs certificates for the loopback and for clients.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "our own"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return authority{cert, key}
}

func (a authority) issue(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
	return p
}

// A server behind a certificate of one's own, that wants a certificate as well, and behind a proxy.
func TestTLSAndProxy(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	bare := newBare(t)
	ours, others := newAuthority(t), newAuthority(t)
	plain, err := url.Parse(serve(t, bare, nil))
	require.NoError(t, err)
	srv := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: plain.Host})
	}})
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{ours.issue(t)}, ClientCAs: ours.pool(), ClientAuth: tls.RequireAndVerifyClientCert}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what is tested
	srv.StartTLS()
	t.Cleanup(srv.Close)
	var tunnels atomic.Int64
	proxy := serveProxy(t, &tunnels)
	at := srv.URL + plain.Path
	sync := func(c *tls.Config, via *url.URL) error {
		tr := &http.Transport{TLSClientConfig: c}
		if via != nil {
			tr.Proxy = http.ProxyURL(via)
		}
		t.Cleanup(tr.CloseIdleConnections)
		s := open(t, Options{URL: at, Auth: token(goodToken), Transport: tr})
		_, err := s.Sync(ctx)
		return err
	}
	good := &tls.Config{RootCAs: ours.pool(), Certificates: []tls.Certificate{ours.issue(t)}}
	require.NoError(t, sync(good, nil))
	require.Zero(t, tunnels.Load())
	require.NoError(t, sync(good, proxy))
	require.Positive(t, tunnels.Load(), "by the proxy")
	require.ErrorContains(t, sync(&tls.Config{RootCAs: others.pool(), Certificates: good.Certificates}, nil), "unknown authority")
	require.ErrorContains(t, sync(&tls.Config{RootCAs: ours.pool()}, nil), "certificate required")
	require.Error(t, sync(&tls.Config{RootCAs: ours.pool(), Certificates: []tls.Certificate{others.issue(t)}}, nil))
}

// serveProxy is a proxy that makes tunnels and counts them.
func serveProxy(t *testing.T, tunnels *atomic.Int64) *url.URL {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "tunnels only", http.StatusMethodNotAllowed)
			return
		}
		tunnels.Add(1)
		there, err := new(net.Dialer).DialContext(context.WithoutCancel(r.Context()), "tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusOK)
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = there.Close()
			return
		}
		go func() {
			defer there.Close()
			_, _ = io.Copy(there, here)
		}()
		defer here.Close()
		_, _ = io.Copy(here, there)
	}))
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	require.NoError(t, err)
	return u
}
