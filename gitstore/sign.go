package gitstore

import (
	"bytes"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// A Signer signs the content of commits.
type Signer interface {
	// Sign returns the armoured signature of a commit without one. The same commit has the same signature.
	Sign(commit []byte) ([]byte, error)
}

// NewSSHSigner returns a Signer with a private key in PEM form, as git does with gpg.format=ssh. The key is of type
// ed25519 or rsa: others sign the same content differently each time, so that a commit written twice would be two.
func NewSSHSigner(key, passphrase []byte) (Signer, error) {
	s, err := parseKey(key, passphrase)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	switch s.PublicKey().Type() {
	case ssh.KeyAlgoED25519:
		return sshSigner{s, ssh.KeyAlgoED25519}, nil
	case ssh.KeyAlgoRSA:
		return sshSigner{s, ssh.KeyAlgoRSASHA512}, nil
	}
	return nil, fmt.Errorf("signing key: is of type %s, want ed25519 or rsa", s.PublicKey().Type())
}

type sshSigner struct {
	key       ssh.Signer
	algorithm string
}

// What is signed, and what the signature's envelope is. Source: PROTOCOL.sshsig of OpenSSH.
const (
	sshsigMagic     = "SSHSIG"
	sshsigNamespace = "git"
	sshsigHash      = "sha512"
)

type sshsigData struct{ Namespace, Reserved, Hash, Digest string }

type sshsigEnvelope struct {
	Version                                         uint32
	PublicKey, Namespace, Reserved, Hash, Signature string
}

// Sign implements Signer.
func (s sshSigner) Sign(commit []byte) ([]byte, error) {
	key, ok := s.key.(ssh.AlgorithmSigner)
	if !ok {
		return nil, errors.New("sign commit: the key cannot choose an algorithm")
	}
	sum := sha512.Sum512(commit)
	data := append([]byte(sshsigMagic), ssh.Marshal(sshsigData{sshsigNamespace, "", sshsigHash, string(sum[:])})...)
	sig, err := key.SignWithAlgorithm(rand.Reader, data, s.algorithm)
	if err != nil {
		return nil, fmt.Errorf("sign commit: %w", err)
	}
	envelope := append([]byte(sshsigMagic), ssh.Marshal(sshsigEnvelope{
		1, string(s.key.PublicKey().Marshal()), sshsigNamespace, "", sshsigHash, string(ssh.Marshal(sig)),
	})...)
	const columns = 70
	var out bytes.Buffer
	out.WriteString("-----BEGIN SSH SIGNATURE-----\n")
	for text := base64.StdEncoding.EncodeToString(envelope); text != ""; {
		n := min(len(text), columns)
		out.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	out.WriteString("-----END SSH SIGNATURE-----\n")
	return out.Bytes(), nil
}

// signed adds a signature to the content of a commit, as a header after the others.
func signed(commit, signature []byte) []byte {
	head, message, _ := bytes.Cut(commit, []byte("\n\n"))
	lines := bytes.ReplaceAll(bytes.TrimSuffix(signature, []byte("\n")), []byte("\n"), []byte("\n "))
	return bytes.Join([][]byte{head, []byte("\ngpgsig "), lines, []byte("\n\n"), message}, nil)
}
