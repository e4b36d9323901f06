package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A repository behind a certificate of one's own authority, and what is wrong with certificates.
func TestRepositoryWithOwnAuthority(t *testing.T) {
	w := newDirWorld(t, twoFiles)
	plain, err := url.Parse(w.url)
	require.NoError(t, err)
	srv := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: plain.Host})
	}})
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what is tested
	srv.StartTLS()
	t.Cleanup(srv.Close)
	ca := filepath.Join(w.dir, "ca.pem")
	w.write(ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})))
	w.url = srv.URL + plain.Path
	configure := func(tls string) {
		w.configure("{root: "+w.live+"}", "")
		w.write(w.conf, strings.Replace(w.read(w.conf), "  auth:", "  tls: "+tls+"\n  auth:", 1))
	}
	w.configure("{root: "+w.live+"}", "")
	code, out, _ := w.try("doctor")
	require.Equal(t, exitError, code)
	require.Contains(t, out, "certificate")
	configure("{ca: ca.pem}") // relative to the file
	require.Contains(t, w.driftback(exitDone, "doctor"), "ok    pushes: would be taken")

	w.write(filepath.Join(w.dir, "key.pem"), ecKey(t))
	for tls, says := range map[string]string{
		"{ca: gone.pem}":       "repository.tls: ca: open",
		"{ca: driftback.yaml}": "holds no certificate",
		"{certificate: ca.pem, key: \"file:" + ca + "\"}":                              "do not belong together",
		"{certificate: ca.pem, key: \"file:" + filepath.Join(w.dir, "key.pem") + "\"}": "do not belong together",
		"{certificate: gone.pem, key: env:NOT_SET_ANYWHERE}":                           "certificate: open",
		"{certificate: ca.pem, key: env:NOT_SET_ANYWHERE}":                             "the variable is not set",
	} {
		configure(tls)
		_, out, errs := w.try("doctor")
		require.Contains(t, out+errs, says, tls)
	}
}

// ecKey makes a key that belongs to no certificate.
func ecKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}
