package files

import "github.com/driftback/driftback/vendors/resource"

// Format returns the canonical form of one typed file, also of an overlay, which
// says the same: fields that an overlay sets to their default stay. Comments are
// not kept. A file that cannot be read gives a Problem without a path; a raw
// kind's content is returned as it is.
func Format(k resource.KindInfo, content []byte) ([]byte, error) {
	if k.Raw {
		return content, nil
	}
	d, f := decodeDocument(content)
	if f != nil {
		return nil, Problem{Line: f.line, Column: f.column, Kind: k.Kind, Err: f.err}
	}
	if !d.overlay {
		d.body = k.Schema().Normalize(d.body)
	}
	return encodeDocument(k, *d)
}
