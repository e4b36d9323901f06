package rest

import (
	"context"

	"github.com/driftback/driftback/vendors/resource"
)

// A Platform is the table by which the engine knows a platform. It is constant:
// what differs from tenant to tenant stands in Options. Check tells whether it is consistent.
type Platform struct {
	Name string // for messages and metrics: genesyscloud
	// Tenant is where the tenant's identity is read, once per driver. The zero Tenant takes the base URL.
	Tenant Tenant
	// Kinds come in an order in which a kind follows those that it refers to, as far as there is
	// one. References to kinds that come later, or to the kind itself, are permitted, but the kind's
	// info does not declare them.
	Kinds []Kind
	// Paging of the listings that have none of their own.
	Paging Paging
	// Volatile are fields at the top of objects of every kind that the platform computes: id, selfUri.
	Volatile []string
	// RefID is the field of a reference object that holds the id; "" means "id". RefName is the one that
	// holds the name, which is never sent; "" means "name".
	RefID, RefName string
	Errors         Errors
	Rate           Rate
	Hooks          PlatformHooks
}

// A Tenant says where the tenant's identity is read.
type Tenant struct {
	Path  string // GET
	Field string // of the answer
}

// A Rate is what the platform permits one token. A configuration may ask for less, never for more.
type Rate struct {
	PerMinute int // requests in any 60 s; 0 is no bound
	// Concurrency bounds the requests under way; 0 means 4.
	Concurrency int
}

// A Kind is a row: one kind of object.
type Kind struct {
	// Kind, ReferenceOnly, Cascades, Settle and MaxSize mean what they mean in resource.KindInfo.
	// Capabilities follow from the operations.
	Kind          resource.Kind
	ReferenceOnly bool
	Cascades      []resource.Cascade
	MaxSize       int64
	Settle        Duration

	// OptIn kinds are managed only where the configuration names them; else they are reference-only.
	OptIn bool

	// Listings, together, show every object; one that several show is one. A singleton has none.
	Listings []Listing
	// Get reads one object: "/api/v2/routing/queues/{id}". An empty Path says that the platform cannot; the
	// listing is read instead.
	Get Operation
	// Detail says that listings leave out parts of the object, so that it is read by Get when
	// anything that its listing shows has moved (see Moved).
	Detail bool
	// Find, if there is one, lists the objects of one name with fewer requests than Listings: {"name": "{name}"}.
	// It may find more; what it finds is compared.
	Find *Listing

	// Create, Update and Delete write; an empty Method says that the platform cannot.
	Create, Update, Delete Operation
	Style                  Style
	Guard                  Guard

	Name   Name
	Parent Parent
	// ID is the field with the object's id; "" means "id". A number is taken by its digits.
	ID string
	// Verbatim objects have fields of people's own: Platform.Volatile does not concern them. One that is called as Parent.Field cannot be read.
	Verbatim bool
	// Aliases are fields with further ids by which others refer to the object: published versions of a form.
	Aliases []string
	// Later are fields at the top that a creation says to take, and does not: an update writes them right after it, as it does what Create.Only
	// and Sent.Omit leave out.
	Later []string
	// Gone are objects that are listed though they are deleted, or are none of ours.
	Gone []Match
	// Moved are volatile fields of which a listing shows that something which it does not show has moved:
	// version, dateModified, memberCount.
	Moved []string
	// When and Who are volatile fields with the time (RFC 3339, or milliseconds since 1970) and the author of the last change: an object with a name, or
	// an id of WhoKind, or that as an object.
	When, Who string
	WhoKind   resource.Kind

	// Derived are fields that Hooks.Read adds, and that are what they were as long as the fields in Moved are.
	Derived []string
	// Mentions knows what texts of the kind name, where the engine does not look. It has to be there before the text is written,
	// and is of the kinds in Names.
	Mentions resource.Mentions
	Names    []resource.Kind

	// Fields say what stands where in the spec. What is not declared is taken as it is.
	Fields []Field
	Parts  []Part
	Hooks  Hooks
}

// A Style says how the platform takes an update.
type Style int

// The styles of update.
const (
	// Put sends the whole object; what is left out is gone.
	Put Style = iota
	// Patch sends the top-level fields that changed, and null for those that are gone.
	Patch
	// Replace deletes the object and creates it anew: ids do not survive. Update stays empty.
	Replace
)

// A Guard is how the platform refuses a write that is decided on a stale version. The
// zero Guard says that it cannot: the object is read before and after the write.
type Guard struct {
	// Body is the field of the object that an update sends back as it was read: version.
	Body string
	// Header is the request header that carries what the answer's header ETag said: If-Match.
	Header string
}

// A Name says how an object is named in every environment.
type Name struct {
	// Fields are paths of the values that make the name, such as "name" or "category"; nil means "name". A reference
	// gives its object's name; a list the first element that it has in the spec. Several are joined by "/", and a "/" inside of one is then
	// written %2F. Fields that the name is made of are no part of the spec, except references.
	Fields []string
	// Fixed says that the name of an object that is there cannot be changed.
	Fixed bool
	// Singleton is the name of the only object of the kind. It can be updated, neither created nor deleted.
	Singleton string
}

// A Parent says that objects are listed one parent at a time: the rows of a data table. Everything that has
// a path may then use {parent}. If Get does, ids are unique in one parent only.
type Parent struct {
	Kind resource.Kind
	// Field of the spec in which the engine puts a reference to the parent; "" where the object names it itself.
	Field string
}

// A Listing is one way to list objects.
type Listing struct {
	Path  string
	Query map[string]string // values may use {parent}, and in Find {name}
	// Paging where it is another than the platform's.
	Paging *Paging
}

// A PagingStyle says how one page leads to the next.
type PagingStyle int

// The styles of paging.
const (
	// OnePage says that a listing is one answer.
	OnePage PagingStyle = iota
	// ByNumber asks for page 1, 2, 3.
	ByNumber
	// ByCursor passes on a token from the answer, or takes it out of a URI in the answer.
	ByCursor
)

// Paging says how a listing is read. Field names are those of the answer's top level.
type Paging struct {
	Style PagingStyle
	// Entities is the field with the objects; "" means that the answer is the list itself.
	Entities string
	// SizeParam is the query parameter for the size of a page, Size what is asked for. Size 0 asks for nothing.
	SizeParam string
	Size      int
	// PageParam is the query parameter with the page's number (ByNumber), counted from 1.
	PageParam string
	// CursorParam is the query parameter for the token (ByCursor).
	CursorParam string
	// Next is the field of the answer with the token, or with a URI whose query has it under CursorParam.
	Next string
	// Total is the field with the number of objects in all pages, Pages the one with the number of pages; "" where
	// there is none.
	Total, Pages string
}

// An Operation is one request. Paths are relative to the base URL, and may use {id}, {parent} and, in parts, {item}.
type Operation struct {
	Method string // for Get, "" means GET
	Path   string
	Query  map[string]string
	// Only are the top-level fields, by the names under which they are sent, that the body takes; nil means all.
	Only []string
	// Requires are top-level fields of the spec that the body must have: also where they are the default, or as they were in a Patch.
	Requires []string
	// Echo are fields of the object that a body sends back as they were last read where the spec says nothing of them: they are no part of it, and
	// the platform would take their absence for a wish.
	Echo []string
	// Add are constants that the body must have.
	Add map[string]any
}

// A Match is met by an object whose field at Path (names joined by dots) has, compared as text, one of the values
// or begins with one of the prefixes. The value "" is also met by a field that is not there or null.
type Match struct {
	Path     string
	Values   []string
	Prefixes []string
}

// A Field is what the engine must know of a field besides its meaning.
type Field struct {
	resource.Field
	Form Form
	// By and Kinds are for references whose kind another field of the object tells: {id, type: "TEAM"}. By names
	// that field, Kinds gives the kind for each of its values; Ref stays empty. Both fields become one reference.
	By    string
	Kinds map[string]resource.Kind
	// Literals are values that stand for themselves where else an id stands: "*".
	Literals []string
	// Create and Update say how the field is sent where that is not how it is read.
	Create, Update Sent
}

// A Form is how the platform writes what stands at a field.
type Form int

// The forms of fields.
const (
	// Plain is JSON as it is; for a reference, an object with its id.
	Plain Form = iota
	// ID is for a reference: the id alone.
	ID
	// ByName is for a reference: the platform itself writes the name.
	ByName
	// Text is a string that holds JSON. Paths go on inside of it.
	Text
	// IDKeys is a map whose keys are ids of kind Ref. The spec has a list of {key, value}, sorted; paths
	// inside go on with [].value.
	IDKeys
)

// Sent says how a field is written.
type Sent struct {
	As   string // name under which it is sent; "" is its own. For fields at the top only.
	Form Form   // where As is given: the form in which it is sent
	Omit bool   // it is not sent
}

// A Part is a piece of an object that the platform reads and writes apart: the members of a queue. It
// stands in the spec at Field, a list of the elements or a document. An object is written first, then
// its parts in their order.
type Part struct {
	Field string // at the top of the spec
	// OptIn parts are read and written only where the configuration names them as KIND.FIELD.
	OptIn bool

	// List reads a list, with {id} for the object; Get reads a document. One of both.
	List *Listing
	Get  *Operation

	// Put writes the whole part: a document, or all elements as a list.
	Put Operation
	// Guard of a document.
	Guard Guard
	// Add and Remove write elements, where there is no Put. With {item} in the path it is one request an element,
	// else the body is a list of at most Chunk elements (0: no bound).
	Add, Remove Operation
	Chunk       int
	// AddIDs says that Add takes no more of an element than its id. What else the element says is then written by Change.
	AddIDs bool
	// Change writes an element that is there and differs, as Add does; without, it is removed and added.
	Change Operation
	// Item is the path in an element of the value that tells it from the others, and is {item}: "id", or "user.id" where
	// user is not declared a reference. "" is the element itself.
	Item string
	// Bare says that Add, Remove and Put send ids, not elements.
	Bare bool
	// Write stands in for Put, Add and Remove of a list: add and remove are ids.
	Write func(ctx context.Context, c *Client, id string, add, remove []string) error
	// Moved are fields of the object that show that the part moved. Where they and the object have not, the
	// part is not read again; without Moved it is read with every listing, or in turn (see Options.PartsEvery).
	Moved []string
	// Hints are fields of the object that may show that the part moved, and may not.
	Hints []string
}

// Errors say what the platform's refusals mean, besides their status.
type Errors struct {
	// Message is the field of the answer (names joined by dots) with what people are told; "" shows the answer itself.
	Message string
	// Conflict, Missing and Throttled are pieces of messages, in small letters, by which a refusal (any 4xx) is one
	// of a stale version, of something that is not there, of too many requests.
	Conflict, Missing, Throttled []string
}
