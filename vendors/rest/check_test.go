package rest

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

// small is a consistent table.
func small() Platform {
	return Platform{
		Name: "small",
		Kinds: []Kind{
			{
				Kind:     "skill",
				Listings: []Listing{{Path: "/skills"}},
				Get:      Operation{Path: "/skills/{id}"},
				Create:   Operation{Method: http.MethodPost, Path: "/skills"},
				Delete:   Operation{Method: http.MethodDelete, Path: "/skills/{id}"},
				Style:    Replace,
			},
			{
				Kind:     "queue",
				Listings: []Listing{{Path: "/queues"}},
				Get:      Operation{Path: "/queues/{id}"},
				Create:   Operation{Method: http.MethodPost, Path: "/queues"},
				Update:   Operation{Method: http.MethodPut, Path: "/queues/{id}"},
				Delete:   Operation{Method: http.MethodDelete, Path: "/queues/{id}"},
				Fields:   []Field{{Field: resource.Field{Path: "skills", Set: true}}, {Field: resource.Field{Path: "skills[]", Ref: "skill"}, Form: ID}},
				Parts: []Part{{
					Field: "members", List: &Listing{Path: "/queues/{id}/members"}, Item: "id", Chunk: 100,
					Add:    Operation{Method: http.MethodPost, Path: "/queues/{id}/members"},
					Remove: Operation{Method: http.MethodPost, Path: "/queues/{id}/members", Query: map[string]string{"delete": "true"}},
				}},
			},
			{
				Kind:     "row",
				Parent:   Parent{Kind: "queue", Field: "queue"},
				Listings: []Listing{{Path: "/queues/{parent}/rows"}},
				Get:      Operation{Path: "/queues/{parent}/rows/{id}"},
			},
			{
				Kind:   "settings",
				Name:   Name{Singleton: "settings"},
				Get:    Operation{Path: "/settings"},
				Update: Operation{Method: http.MethodPut, Path: "/settings"},
			},
		},
	}
}

func TestCheck(t *testing.T) {
	require.NoError(t, Check(small()))
	tests := map[string]struct {
		breaks func(*Platform)
		says   string
	}{
		"no name":           {func(p *Platform) { p.Name = "" }, "platform: has no name"},
		"half a tenant":     {func(p *Platform) { p.Tenant.Path = "/me" }, "platform: a tenant is read"},
		"twice":             {func(p *Platform) { p.Kinds = append(p.Kinds, p.Kinds[0]) }, "skill: is there twice"},
		"spelling":          {func(p *Platform) { p.Kinds[0].Kind = "Skill" }, "Skill: a kind is written"},
		"no listing":        {func(p *Platform) { p.Kinds[0].Listings = nil }, "skill: is listed nowhere"},
		"singleton listed":  {func(p *Platform) { p.Kinds[3].Listings = []Listing{{Path: "/x"}} }, "settings: a singleton"},
		"relative path":     {func(p *Platform) { p.Kinds[0].Get.Path = "skills/{id}" }, `skill: Get: path "skills/{id}"`},
		"unknown variable":  {func(p *Platform) { p.Kinds[0].Get.Path = "/skills/{id}/{x}" }, "skill: Get: unknown {x}"},
		"no id":             {func(p *Platform) { p.Kinds[0].Get.Path = "/skills" }, "skill: Get names no {id}"},
		"method":            {func(p *Platform) { p.Kinds[1].Update.Method = "DELETE" }, `queue: Update: method "DELETE"`},
		"replace":           {func(p *Platform) { p.Kinds[1].Style = Replace }, "queue: Replace takes"},
		"reference-only":    {func(p *Platform) { p.Kinds[1].ReferenceOnly = true }, "queue: is reference-only and can be written"},
		"two guards":        {func(p *Platform) { p.Kinds[1].Guard = Guard{Body: "version", Header: "If-Match"} }, "queue: has two guards"},
		"idle guard":        {func(p *Platform) { p.Kinds[2].Guard = Guard{Body: "version"} }, "row: has a guard"},
		"unknown reference": {func(p *Platform) { p.Kinds[1].Fields[1].Ref = "nothing" }, "queue: skills[] refers to nothing"},
		"form":              {func(p *Platform) { p.Kinds[1].Fields[0].Form = ID }, "queue: skills has the form of a reference"},
		"twice a field":     {func(p *Platform) { p.Kinds[1].Fields[0] = p.Kinds[1].Fields[1] }, "queue: field skills[] is there twice"},
		"default":           {func(p *Platform) { p.Kinds[1].Fields[0].Default = 1 }, "queue: skills: the default is not canonical"},
		"late parent":       {func(p *Platform) { p.Kinds[0], p.Kinds[1], p.Kinds[2] = p.Kinds[2], p.Kinds[0], p.Kinds[1] }, "row: its parent queue does not come before it"},
		"no parent":         {func(p *Platform) { p.Kinds[2].Parent = Parent{} }, "row: listing: {parent} without a parent"},
		"unused parent":     {func(p *Platform) { p.Kinds[2].Listings[0].Path = "/rows" }, "row: is listed by parent"},
		"cursor":            {func(p *Platform) { p.Paging = Paging{Style: ByCursor, Entities: "e"} }, "platform: paging by cursor"},
		"bare list":         {func(p *Platform) { p.Paging = Paging{Total: "total"} }, "platform: paging: a bare list"},
		"part twice read":   {func(p *Platform) { p.Kinds[1].Parts[0].Get = &Operation{Path: "/x"} }, "queue: part members: List or Get"},
		"part half written": {func(p *Platform) { p.Kinds[1].Parts[0].Remove = Operation{} }, "queue: part members: Add and Remove"},
		"sent within":       {func(p *Platform) { p.Kinds[1].Fields[1].Create.As = "skillIds" }, "queue: skills[] is sent as skillIds"},
		"by":                {func(p *Platform) { p.Kinds[1].Fields[0].By = "type" }, "queue: skills: By and Kinds"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := small()
			test.breaks(&p)
			require.ErrorContains(t, Check(p), test.says)
		})
	}
}
