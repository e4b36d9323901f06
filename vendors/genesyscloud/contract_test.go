package genesyscloud

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
	"github.com/driftback/driftback/vendors/rest"
)

// The contract is what the vendor's own client says, see contract/extract.mjs.
type contract struct {
	Source     string
	Operations []*operation
	Models     map[string]map[string]string
	Regions    map[string]string

	byOp map[string]*operation
}

type operation struct {
	ID, Op  string
	Query   []string
	Body    string
	Returns string
	used    bool
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// shape is an operation without the names of its parameters, which are ours in the table and the vendor's in the contract.
func shape(method, path string) string { return method + " " + parameter.ReplaceAllString(path, "{}") }

func readContract(t *testing.T) *contract {
	t.Helper()
	b, err := os.ReadFile("contract/contract.json")
	require.NoError(t, err)
	c := &contract{byOp: map[string]*operation{}}
	require.NoError(t, json.Unmarshal(b, c))
	for _, o := range c.Operations {
		method, path, _ := strings.Cut(o.Op, " ")
		c.byOp[shape(method, path)] = o
	}
	return c
}

// derived are fields of specs that the platform's model of the object does not have: they are read apart, by parts and hooks.
var derived = map[resource.Kind][]string{
	queue:        {"wrapUpCodes", "members"},
	user:         {"roles"},
	integration:  {"configuration"},
	flow:         {"content"},
	prompt:       {"resources[].audio"},
	datatablerow: {"datatable", "key"},
	emailroute:   {"domain"},
	skillgroup:   {"memberDivisions"},
}

// A judge collects what in a table the contract does not have.
type judge struct {
	*contract
	kind     rest.Kind
	platform rest.Platform
	wrong    []string
	fields   int // of the objects' models at the top, known to the table or taken as they are
}

func (j *judge) fail(format string, args ...any) {
	j.wrong = append(j.wrong, string(j.kind.Kind)+": "+fmt.Sprintf(format, args...))
}

// op finds an operation, and checks the query.
func (j *judge) op(what, method, path string, query map[string]string) *operation {
	o := j.byOp[shape(method, path)]
	if o == nil {
		j.fail("%s: the contract has no %s %s", what, method, path)
		return nil
	}
	o.used = true
	for q := range query {
		if !slices.Contains(o.Query, q) {
			j.fail("%s: %s takes no %s", what, o.Op, q)
		}
	}
	return o
}

// model is the type without what says how often.
func model(t string) string { return strings.Trim(t, "![]{}") }

// typeAt follows a path of a table through the models. IDKeys turn maps into lists of key and value; what is inside of a text is not described.
func (j *judge) typeAt(in, path string) (string, error) {
	at := in
	for step := range strings.SplitSeq(strings.TrimPrefix(strings.ReplaceAll(path, "[]", ".[]"), "."), ".") {
		at = strings.TrimPrefix(at, "!")
		switch {
		case at == "object" || at == "any":
			return at, nil
		case at == "string" && slices.ContainsFunc(j.kind.Fields, func(f rest.Field) bool { return f.Form == rest.Text && strings.HasPrefix(path, f.Path) }):
			return "any", nil
		case step == "[]" && strings.HasPrefix(at, "["):
			at = strings.TrimSuffix(strings.TrimPrefix(at, "["), "]")
		case step == "[]" && strings.HasPrefix(at, "{"): // IDKeys
		case strings.HasPrefix(at, "{"): // any key of a map
			at = strings.TrimSuffix(strings.TrimPrefix(at, "{"), "}")
		default:
			next, ok := j.Models[at][step]
			if !ok {
				return "", fmt.Errorf("%s has no %s", at, step)
			}
			at = next
		}
	}
	return at, nil
}

func (j *judge) judge(k rest.Kind) {
	j.kind = k
	entity := ""
	for _, l := range k.Listings {
		entity = j.listing("listing", l)
	}
	if k.Find != nil {
		entity = j.listing("Find", *k.Find)
	}
	if k.Get.Path != "" {
		if o := j.op("Get", "GET", k.Get.Path, k.Get.Query); o != nil {
			entity = model(o.Returns)
		}
	}
	if k.Kind == datatablerow {
		return // its objects are what the table's schema says
	}
	if j.Models[entity] == nil {
		j.fail("the contract has no model %q", entity)
		return
	}
	j.paths(k, entity)
	j.writes(k, entity)
}

// listing checks a listing and returns the model of what is listed.
func (j *judge) listing(what string, l rest.Listing) string {
	o := j.op(what, "GET", l.Path, l.Query)
	if o == nil {
		return ""
	}
	p := j.platform.Paging
	if l.Paging != nil {
		p = *l.Paging
	}
	style := map[rest.PagingStyle]string{rest.ByNumber: "pageNumber", rest.ByCursor: "after"}[p.Style]
	for _, q := range []string{p.PageParam, p.SizeParam, p.CursorParam, style} {
		if q != "" && !slices.Contains(o.Query, q) {
			j.fail("%s: %s is not paged by %s", what, o.Op, q)
		}
	}
	for _, f := range []string{p.Entities, p.Next, p.Pages, p.Total} {
		if _, ok := j.Models[o.Returns][f]; f != "" && !ok {
			j.fail("%s: %s has no %s", what, o.Returns, f)
		}
	}
	return model(j.Models[o.Returns][p.Entities])
}

// paths checks everything by which the table names a field.
func (j *judge) paths(k rest.Kind, entity string) {
	var paths []string
	for _, f := range k.Fields {
		paths = append(paths, f.Path)
		if f.By != "" {
			paths = append(paths, f.Path+"."+f.By)
		}
	}
	for _, g := range k.Gone {
		paths = append(paths, g.Path)
	}
	paths = slices.Concat(paths, k.Name.Fields, k.Moved)
	part := map[string]string{}
	for _, p := range k.Parts {
		part[p.Field] = j.part(p)
	}
	for _, path := range paths {
		top, rest, _ := strings.Cut(strings.ReplaceAll(path, "[]", ".[]"), ".")
		in, at := entity, path
		if m, ok := part[top]; ok {
			if in, at = m, rest; rest == "" {
				continue
			}
		} else if slices.Contains(derived[k.Kind], path) || slices.Contains(derived[k.Kind], top) {
			continue
		}
		if _, err := j.typeAt(in, at); err != nil {
			j.fail("field %s: %v", path, err)
		}
	}
}

// part checks the operations of a part and returns the type of what stands there.
func (j *judge) part(p rest.Part) string {
	for _, o := range []rest.Operation{p.Put, p.Add, p.Remove, p.Change} {
		if o.Path != "" {
			j.op("part "+p.Field, o.Method, o.Path, o.Query)
		}
	}
	if p.List != nil {
		return "[" + j.listing("part "+p.Field, *p.List) + "]"
	}
	o := j.op("part "+p.Field, "GET", p.Get.Path, p.Get.Query)
	if o == nil {
		return ""
	}
	if _, ok := j.Models[o.Returns][p.Guard.Body]; p.Guard.Body != "" && !ok {
		j.fail("part %s: %s has no %s", p.Field, o.Returns, p.Guard.Body)
	}
	return o.Returns
}

// writes checks that what is in a spec can be written: a field of the model is computed, or the body of the write has it.
func (j *judge) writes(k rest.Kind, entity string) {
	for what, o := range map[string]rest.Operation{"Create": k.Create, "Update": k.Update} {
		if o.Path == "" {
			continue
		}
		op := j.op(what, o.Method, o.Path, o.Query)
		if op == nil {
			continue
		}
		body := j.Models[model(op.Body)]
		if body == nil {
			j.fail("%s: %s takes no body that the contract knows", what, op.Op)
			continue
		}
		for _, f := range slices.Concat(o.Only, slices.Collect(maps.Keys(o.Add))) {
			if _, ok := body[f]; !ok {
				j.fail("%s: %s has no %s", what, op.Body, f)
			}
		}
		if g := k.Guard.Body; what == "Update" && g != "" && body[g] == "" {
			j.fail("Update: %s has no %s", op.Body, g)
		}
		for field := range j.Models[entity] {
			j.written(what, o, op.Body, field)
		}
	}
	if k.Delete.Path != "" {
		j.op("Delete", k.Delete.Method, k.Delete.Path, k.Delete.Query)
	}
	j.fields += len(j.Models[entity])
}

// written checks one field of the object's model.
func (j *judge) written(what string, o rest.Operation, body, field string) {
	if slices.Contains(j.platform.Volatile, field) {
		return
	}
	name := field
	for _, f := range j.kind.Fields {
		if f.Path != field {
			continue
		}
		sent := map[string]rest.Sent{"Create": f.Create, "Update": f.Update}[what]
		if f.Volatile || sent.Omit || what == "Update" && f.Immutable {
			return
		}
		if sent.As != "" {
			name = sent.As
		}
	}
	named := slices.Contains(j.kind.Name.Fields, field)
	if o.Only != nil && !slices.Contains(o.Only, name) {
		if !named && !j.later(field) {
			j.fail("%s sends no %s, and it is neither computed nor immutable", what, name)
		}
		return
	}
	if _, ok := j.Models[model(body)][name]; !ok && !(named && what == "Update" && j.kind.Name.Fixed) && !j.elsewhere(what, field) {
		j.fail("%s: %s has no %s, and it is neither computed nor immutable", what, body, name)
	}
}

// later reports whether a field that a creation does not take is written by the update that follows.
func (j *judge) later(field string) bool {
	return j.kind.Kind == integration && (field == "intendedState" || field == "integrationType" || field == "name") ||
		j.kind.Kind == user && slices.Contains([]string{"profileSkills", "certifications", "acdAutoAnswer", "skills", "languages"}, field) ||
		j.kind.Kind == skill && field == "name"
}

// elsewhere are fields that hooks and parts write by other operations, or that another body carries.
func (j *judge) elsewhere(what, field string) bool {
	return slices.Contains(map[resource.Kind][]string{
		dataaction: {"contract"},            // by a draft
		user:       {"skills", "languages"}, // by parts
	}[j.kind.Kind], field)
}

// hookOperations are those that Go code names and the table does not.
var hookOperations = []string{
	"POST /api/v2/users/search", "GET /api/v2/routing/skillgroups/{id}/members/divisions", "POST /api/v2/routing/skillgroups/{id}/members/divisions",
	"POST /api/v2/integrations/actions/{id}/draft", "GET /api/v2/integrations/actions/{id}/draft", "PATCH /api/v2/integrations/actions/{id}/draft",
	"GET /api/v2/integrations/actions/{id}/templates/{file}", "GET /api/v2/integrations/actions/{id}/draft/templates/{file}",
	"POST /api/v2/integrations/actions/{id}/draft/publish", "POST /api/v2/webdeployments/configurations/{id}/versions/draft/publish",
	"GET /api/v2/webdeployments/configurations/{id}/versions", "POST /api/v2/architect/prompts/{id}/resources",
	"PUT /api/v2/architect/prompts/{id}/resources/{language}", "DELETE /api/v2/architect/prompts/{id}/resources/{language}",
	"POST /api/v2/quality/publishedforms/evaluations", "POST /api/v2/flows/export/jobs", "GET /api/v2/flows/export/jobs/{id}", "POST /api/v2/flows/jobs",
	"GET /api/v2/flows/jobs/{id}",
	"GET /api/v2/organizations/me", "GET /api/v2/authorization/subjects/me",
	"GET /api/v2/audits/query/realtime/servicemapping", "GET /api/v2/audits/query/servicemapping", "POST /api/v2/audits/query/realtime",
	"POST /api/v2/audits/query", "GET /api/v2/audits/query/{id}", "GET /api/v2/audits/query/{id}/results",
	"POST /api/v2/notifications/channels", "PUT /api/v2/notifications/channels/{id}/subscriptions",
	"POST /api/v2/flows/datatables/{id}/rows", "PUT /api/v2/flows/datatables/{id}/rows/{row}", "DELETE /api/v2/flows/datatables/{id}/rows/{row}",
}

var update = flag.Bool("update", false, "write contract/unused.txt")

// The table and the hooks use what the contract has and nothing else. What it has besides on the paths of our kinds stands in
// contract/unused.txt: it is not covered by anything here.
func TestTableIsTheVendorsContract(t *testing.T) {
	t.Parallel()
	p := platform(hooks{})
	j := &judge{contract: readContract(t), platform: p}
	for _, k := range p.Kinds {
		j.judge(k)
	}
	j.kind = rest.Kind{Kind: "hooks"}
	for _, o := range hookOperations {
		method, path, _ := strings.Cut(o, " ")
		j.op("hook", method, path, nil)
	}
	require.Empty(t, j.wrong, "%d things that the contract does not have:\n%s", len(j.wrong), strings.Join(j.wrong, "\n"))
	used, managed, unused := 0, 0, []string{}
	for _, o := range j.Operations {
		if o.used {
			used++
		} else {
			unused = append(unused, o.Op)
		}
	}
	slices.Sort(unused)
	list := strings.Join(unused, "\n") + "\n"
	if *update {
		require.NoError(t, os.WriteFile("contract/unused.txt", []byte(list), 0o600))
	}
	was, err := os.ReadFile("contract/unused.txt")
	require.NoError(t, err)
	require.Equal(t, string(was), list, "run go test -run TestTableIsTheVendorsContract -update")
	for _, k := range p.Kinds {
		if !k.ReferenceOnly {
			managed++
		}
	}
	t.Logf("%s: %d kinds, %d of them managed; %d of %d operations on their paths used; %d fields of their objects", j.Source, len(p.Kinds), managed, used, len(j.Operations), j.fields)
	require.GreaterOrEqual(t, managed, 30)
}

// kept are ids that stay in specs as they are, as what they lead to is not in the table. They differ from organisation to
// organisation, and each is the price of a listing for something that few have.
var kept = map[resource.Kind][]string{
	response:         {"assets[]", "messagingTemplate.whatsApp.integrationId"},
	queue:            {"outboundMessagingAddresses.openMessagingRecipient", "outboundMessagingAddresses.smsAddress", "outboundMessagingAddresses.whatsAppRecipient"},
	webconfiguration: {"supportCenter.enabledCategories[].id", "supportCenter.labelFilter.labels[]"},
	evaluationform: {
		"questionGroups[].questions[].answerOptions[].assistanceConditions[].topicIds[]",
		"questionGroups[].questions[].multipleSelectOptionQuestions[].answerOptions[].assistanceConditions[].topicIds[]",
		"questionGroups[].questions[].multipleSelectOptionQuestions[].multipleSelectOptionQuestions[].answerOptions[].assistanceConditions[].topicIds[]",
	},
}

// ownIDs are the same in every organisation: they are names.
var ownIDs = map[string]bool{
	"timeZoneId": true, "rules[].conditions[].timeZoneId": true, "callableTimes[].timeZoneId": true, "integrationType.id": true, "substitutions[].id": true,
	"defaultRoleId": true, "campaignId": true, // of the provider of the list
}

// TestNoIDStaysUnnamed walks the models: what the contract calls a reference is one in the table, or computed.
func TestNoIDStaysUnnamed(t *testing.T) {
	t.Parallel()
	c, p := readContract(t), platform(hooks{})
	for _, k := range p.Kinds {
		o := c.byOp[shape("GET", k.Get.Path)]
		if k.ReferenceOnly || o == nil || k.Kind == datatablerow {
			continue
		}
		declared := map[string]rest.Field{}
		for _, f := range k.Fields {
			declared[f.Path] = f
		}
		for _, v := range p.Volatile {
			declared[v] = rest.Field{Field: resource.Field{Path: v, Volatile: true}}
		}
		var found []string
		unnamed(c, declared, model(o.Returns), "", map[string]int{}, &found)
		slices.Sort(found)
		assert.Equal(t, kept[k.Kind], found, "%s", k.Kind)
	}
}

// unnamed collects the paths below at whose type or name says that an id stands there.
func unnamed(c *contract, declared map[string]rest.Field, in, at string, inside map[string]int, found *[]string) {
	// What nests in itself is followed as deep as the table does.
	if inside[in]++; inside[in] <= 3 {
		defer func() { inside[in]-- }()
	} else {
		inside[in]--
		return
	}
	for name, typ := range c.Models[in] {
		path, sub := at+name, strings.TrimPrefix(typ, "!")
		for {
			f, ok := declared[path]
			if declared[path+".id"].Ref != "" || ok && (f.Volatile || f.Secret || f.Ref != "" && f.Form != rest.IDKeys || f.By != "") {
				sub = ""
			}
			if strings.HasPrefix(sub, "[") {
				path, sub = path+"[]", sub[1:len(sub)-1]
				continue
			}
			if strings.HasPrefix(sub, "{") {
				if f.Form == rest.IDKeys {
					path += "[].value"
				} else {
					path += ".*"
				}
				sub = sub[1 : len(sub)-1]
				continue
			}
			break
		}
		_, hasID := c.Models[sub]["id"]
		named := sub == "string" && (strings.HasSuffix(name, "Id") || strings.HasSuffix(name, "Ids") || name == "id" && at != "")
		switch {
		case sub == "", ownIDs[path]:
		case named, hasID && (strings.HasSuffix(sub, "Ref") || strings.HasSuffix(sub, "Reference")), sub == "User", sub == "Division":
			*found = append(*found, path)
		case c.Models[sub] != nil:
			unnamed(c, declared, sub, path+".", inside, found)
		}
	}
}

func TestTableIsConsistent(t *testing.T) {
	t.Parallel()
	require.NoError(t, rest.Check(platform(hooks{})))
}
