package rest

import (
	"errors"
	"net/url"
	"strconv"

	"github.com/driftback/driftback/vendors/resource"
)

// A page is what an answer says about the listing that it is a part of; -1 where it does not say.
type page struct {
	total, pages, size int
	next               string // token, or URI
	found              int    // objects in it
}

var errNoEntities = errors.New("the answer holds no list")

// read goes over an answer and calls entity at each object, which it takes from s.
func (pg Paging) read(b []byte, s *scanner, entity func() error) (page, error) {
	out := page{total: -1, pages: -1, size: -1}
	*s = scanner{b: b}
	each := func() error {
		out.found++
		return entity()
	}
	seen := pg.Entities == ""
	var err error
	if seen {
		err = s.elements(each)
	} else {
		err = s.members(func(key []byte) error {
			switch string(key) {
			case pg.Entities:
				if s.null() {
					return nil
				}
				seen = true
				return s.elements(each)
			case pg.Total:
				return s.count(&out.total)
			case pg.Pages:
				return s.count(&out.pages)
			case pg.Next:
				if s.peek() != '"' {
					return s.skip(0)
				}
				raw, _, err := s.text()
				if err == nil {
					raw, err = unquote(raw)
				}
				out.next = string(raw)
				return err
			case pg.SizeParam: // platforms that name the parameter as the field say how much they really gave
				return s.count(&out.size)
			}
			return s.skip(0)
		})
	}
	switch {
	case err != nil:
		return out, err
	case s.peek() != 0:
		return out, s.fail()
	case !seen && out.total != 0:
		return out, errNoEntities
	}
	return out, nil
}

// count takes a number that is a count; whatever else is there says nothing.
func (s *scanner) count(into *int) error {
	if c := s.peek(); c < '0' || c > '9' {
		return s.skip(0)
	}
	raw, err := s.scalar()
	if n, bad := strconv.Atoi(string(raw)); bad == nil {
		*into = n
	}
	return err
}

// A cursor is where in a listing one is.
type cursor struct {
	Paging
	number int    // of the page, from 1
	token  string // of the page; "" is the first
	listed int
}

// query adds what asks for the page.
func (c *cursor) query(q url.Values) {
	if c.Size > 0 {
		q.Set(c.SizeParam, strconv.Itoa(c.Size))
	}
	switch {
	case c.Style == ByNumber:
		q.Set(c.PageParam, strconv.Itoa(c.number))
	case c.Style == ByCursor && c.token != "":
		q.Set(c.CursorParam, c.token)
	}
}

// advance goes to the page after p, and reports whether there is one.
func (c *cursor) advance(p page) (bool, error) {
	c.listed += p.found
	c.number++
	switch c.Style {
	case ByNumber:
		size := c.Size
		if p.size > 0 {
			size = p.size
		}
		switch {
		case p.found == 0:
			return false, nil
		case p.pages >= 0:
			return c.number <= p.pages, nil
		case p.total >= 0:
			return c.listed < p.total, nil
		}
		return size == 0 || p.found >= size, nil
	case ByCursor:
		token, err := c.next(p.next)
		if err == nil && token != "" && token == c.token {
			err = errors.New("the listing leads from a page to itself")
		}
		c.token = token
		return token != "" && err == nil, err
	}
	return false, nil
}

// next returns the token in what an answer says about the next page: the token itself, or a URI's parameter.
func (c *cursor) next(said string) (string, error) {
	if said == "" {
		return "", nil
	}
	u, err := url.Parse(said)
	if err != nil || u.RawQuery == "" {
		return said, nil
	}
	if v := u.Query().Get(c.CursorParam); v != "" {
		return v, nil
	}
	return "", errors.New("the next page's address names no " + resource.Text(c.CursorParam))
}

// maxPages bounds a listing.
const maxPages = 100_000
