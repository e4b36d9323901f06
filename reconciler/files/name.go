package files

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/driftback/driftback/vendors/resource"
)

// File names of typed kinds are the object's name, percent-encoded where a file
// system, Git or a shell would not keep it as it is, plus ".yaml". Decoding is
// plain percent-decoding, so that any valid encoding is accepted:
//
//   - control characters and < > : " / \ | ? * %; a dot or space at either end;
//   - the first letter of names that Windows reserves, such as con or lpt1;
//   - what is no valid UTF-8, what cannot be seen, and what a file system that normalises
//     Unicode would change (combining marks, conjoining jamo, compatibility characters), so
//     that the two spellings of é stay two files.
//
// Where the tree already has a file whose name differs in case only, a new name
// has its capital letters and everything outside ASCII encoded, or its first
// letter where it has none: support.yaml, %53upport.yaml. If even that is taken
// every byte is encoded.
//
// A name that needs more than maxName bytes is cut and gets a hash: "prefix%-hash".
// The full name stands in the file as $name. "%-" is no valid encoding, so that
// no short name looks like that.
const (
	maxName  = 200
	hashMark = "%-"
	ext      = ".yaml"
)

const hexDigits = "0123456789ABCDEF"

// encodeName returns the ordinary encoding of a name, without extension.
func encodeName(name string) string {
	if plainName(name) {
		return name
	}
	var b strings.Builder
	reserved := reservedName(name)
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		edge := i == 0 || i == len(name)-1
		if (edge && (r == '.' || r == ' ')) || (reserved && i == 0) || mustEncode(r, n) {
			percent(&b, name[i:i+n])
		} else {
			b.WriteString(name[i : i+n])
		}
		i += n
	}
	return fitName(name, b.String())
}

// caseName encodes a name so that it differs from the ordinary encoding of every
// other name also where the case of letters does not count.
func caseName(name string) string {
	var b strings.Builder
	found := false
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		if n > 1 || mustEncode(r, n) || 'A' <= r && r <= 'Z' || (i == 0 || i == len(name)-1) && (r == '.' || r == ' ') {
			percent(&b, name[i:i+n])
			found = found || n > 1 || 'A' <= r && r <= 'Z'
		} else {
			b.WriteString(name[i : i+n])
		}
		i += n
	}
	if found {
		return fitName(name, b.String())
	}
	for i, r := range name {
		if 'a' <= r && r <= 'z' {
			b.Reset()
			b.WriteString(encodeInner(name[:i]))
			percent(&b, name[i:i+1])
			b.WriteString(encodeInner(name[i+1:]))
			break
		}
	}
	return fitName(name, b.String())
}

// fullName encodes every byte.
func fullName(name string) string {
	var b strings.Builder
	percent(&b, name)
	return fitName(name, b.String())
}

func encodeInner(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if mustEncode(r, n) || r == '.' || r == ' ' {
			percent(&b, s[i:i+n])
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

func percent(b *strings.Builder, s string) {
	for i := range len(s) {
		b.WriteByte('%')
		b.WriteByte(hexDigits[s[i]>>4])
		b.WriteByte(hexDigits[s[i]&15])
	}
}

// fitName returns the encoding if it is short enough, else a cut of it and a hash of the name.
func fitName(name, encoded string) string {
	if len(encoded) <= maxName {
		return encoded
	}
	const keep = 120
	cut := keep
	for cut > keep-12 && (!utf8.RuneStart(encoded[cut]) || encoded[cut-1] == '%' || encoded[cut-2] == '%') {
		cut--
	}
	sum := sha256.Sum256([]byte(name))
	return encoded[:cut] + hashMark + hex.EncodeToString(sum[:16])
}

// longName reports whether the encoded name does not hold the whole name, and the hash in it.
func longName(encoded string) (hash string, long bool) {
	_, hash, long = strings.Cut(encoded, hashMark)
	return hash, long
}

// holdsName reports whether the hash in a long file name is that of name.
func holdsName(hash, name string) bool {
	sum := sha256.Sum256([]byte(name))
	return hash == hex.EncodeToString(sum[:16])
}

// plainName reports whether a name is its own encoding, for the common case only.
func plainName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c < ' ' || c >= 0x7f || strings.IndexByte(forbidden, c) >= 0 {
			return false
		}
	}
	first, last := name[0], name[len(name)-1]
	return first != '.' && first != ' ' && last != '.' && last != ' ' && !reservedName(name)
}

const forbidden = `<>:"/\|?*%`

func mustEncode(r rune, size int) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7f || strings.IndexByte(forbidden, byte(r)) >= 0
	}
	return r == utf8.RuneError && size == 1 || !unicode.IsPrint(r) || unicode.Is(unicode.M, r) || unicode.Is(recomposed, r)
}

// recomposed are the characters besides marks that Unicode normalisation changes
// or joins with the one before (UAX #15, NFC_Quick_Check No or Maybe).
var recomposed = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x0374, Hi: 0x0374, Stride: 1}, {Lo: 0x037e, Hi: 0x037e, Stride: 1}, {Lo: 0x0387, Hi: 0x0387, Stride: 1},
		{Lo: 0x0958, Hi: 0x095f, Stride: 1}, {Lo: 0x09dc, Hi: 0x09df, Stride: 1}, {Lo: 0x0a33, Hi: 0x0a36, Stride: 1},
		{Lo: 0x0a59, Hi: 0x0a5e, Stride: 1}, {Lo: 0x0b5c, Hi: 0x0b5d, Stride: 1}, {Lo: 0x0f43, Hi: 0x0f69, Stride: 1},
		{Lo: 0x1161, Hi: 0x1175, Stride: 1}, {Lo: 0x11a8, Hi: 0x11c2, Stride: 1}, {Lo: 0x1f71, Hi: 0x1f7d, Stride: 2},
		{Lo: 0x1fbb, Hi: 0x1fbe, Stride: 3}, {Lo: 0x1fc9, Hi: 0x1fcb, Stride: 2}, {Lo: 0x1fd3, Hi: 0x1feb, Stride: 8},
		{Lo: 0x1fee, Hi: 0x1fef, Stride: 1}, {Lo: 0x1ff9, Hi: 0x1ffd, Stride: 2}, {Lo: 0x2000, Hi: 0x2001, Stride: 1},
		{Lo: 0x2126, Hi: 0x2126, Stride: 1}, {Lo: 0x212a, Hi: 0x212b, Stride: 1}, {Lo: 0x2329, Hi: 0x232a, Stride: 1},
		{Lo: 0x2adc, Hi: 0x2adc, Stride: 1}, {Lo: 0xf900, Hi: 0xfad9, Stride: 1}, {Lo: 0xfb1d, Hi: 0xfb4e, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x1d15e, Hi: 0x1d164, Stride: 1}, {Lo: 0x1d1bb, Hi: 0x1d1c0, Stride: 1}, {Lo: 0x2f800, Hi: 0x2fa1d, Stride: 1},
	},
}

// reservedName reports whether Windows keeps the name, up to its first dot, for a device.
func reservedName(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.TrimRight(stem, " ")
	switch len(stem) {
	case 3:
		return strings.EqualFold(stem, "con") || strings.EqualFold(stem, "prn") || strings.EqualFold(stem, "aux") || strings.EqualFold(stem, "nul")
	case 4:
		return (strings.EqualFold(stem[:3], "com") || strings.EqualFold(stem[:3], "lpt")) && '0' <= stem[3] && stem[3] <= '9'
	}
	return false
}

// decodeName undoes any percent-encoding of a name.
func decodeName(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", fmt.Errorf("file name: %% is not followed by two hexadecimal digits; write %%25 for a percent sign")
		}
		c, err := hex.DecodeString(s[i+1 : i+3])
		if err != nil {
			return "", fmt.Errorf("file name: %% is not followed by two hexadecimal digits; write %%25 for a percent sign")
		}
		b = append(b, c[0])
		i += 2
	}
	return string(b), nil
}

// foldName maps names that a file system without case takes for one to one text.
func foldName(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, s)
}

// sidecarName is the file beside the contents of a raw kind that says what they cannot say.
const sidecarName = ".driftback.yaml"

// maxRawName bounds the whole path of a raw file, in bytes, and leaves room for the folders above it in 4,096.
const maxRawName = 3500

// checkRawName reports why a name cannot be the path of a raw file.
func checkRawName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case name == sidecarName:
		return fmt.Errorf("the name %s is taken by driftback's own file", sidecarName)
	case !utf8.ValidString(name):
		return errors.New("the name is not valid UTF-8, which a path in Git has to be")
	}
	if len(name) > maxRawName {
		return fmt.Errorf("the name has %d bytes, over the limit of %d", len(name), maxRawName)
	}
	for _, r := range name {
		if r == '\\' {
			return errors.New("the name holds a backslash, which Windows takes for a slash")
		}
		if unicode.IsControl(r) {
			return fmt.Errorf("the name holds the control character %U, which a path in Git must not", r)
		}
	}
	for s := range strings.SplitSeq(name, "/") {
		switch {
		case s == "":
			return errors.New("the name has an empty part between slashes")
		case s == "." || s == "..":
			return fmt.Errorf("the name leaves its folder with %q", s)
		case gitName(s):
			return fmt.Errorf("the name %q is kept by Git for itself", s)
		case len(s) > maxName:
			return fmt.Errorf("a part of the name has %d bytes, over the limit of %d", len(s), maxName)
		}
	}
	return nil
}

// gitName reports whether Git, or a checkout of it on Windows or macOS, takes a
// path segment for one of its own (git fsck: hasDotgit, gitmodules*).
func gitName(s string) bool {
	visible := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) { // HFS+ ignores these
			return -1
		}
		return r
	}, s)
	// NTFS ignores trailing dots and spaces, and a stream's name after a colon.
	visible, _, _ = strings.Cut(visible, ":")
	visible = strings.ToLower(strings.TrimRight(visible, ". "))
	switch visible {
	case ".git", "git~1", ".gitmodules":
		return true
	}
	return len(visible) == 8 && strings.HasPrefix(visible, "gitmod~")
}

// relPath returns where an object's own file stands below the folder of its environment.
func relPath(k resource.KindInfo, name string) (string, error) {
	if name == "" {
		return "", errors.New("the name is empty")
	}
	if k.Raw {
		if err := checkRawName(name); err != nil {
			return "", err
		}
		return string(k.Kind) + "/" + name, nil
	}
	encoded := encodeName(name)
	if _, long := longName(encoded); long && !utf8.ValidString(name) {
		return "", errors.New("the name is too long for a file name, and not valid UTF-8, which $name has to be")
	}
	return string(k.Kind) + "/" + encoded + ext, nil
}
