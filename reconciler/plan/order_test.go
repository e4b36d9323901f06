package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/driftback/driftback/vendors/resource"
)

var everything = resource.Capabilities{Create: true, Update: true, Delete: true, Rename: true, StableID: true}

// kinds are those of the tests: label cannot be renamed, wire has no ids, team is only referred to.
var kinds = []resource.KindInfo{
	{Kind: "team", ReferenceOnly: true, Can: everything},
	{Kind: "skill", Can: everything, Cascades: []resource.Cascade{{Kind: "queue", Path: "refs"}}},
	{Kind: "label", Can: resource.Capabilities{Create: true, Update: true, Delete: true}, Fields: fields},
	{Kind: "wire", Can: resource.Capabilities{Create: true, Update: true, Delete: true, Rename: true}, Fields: fields},
	{Kind: "user", Can: everything, Fields: fields},
	{Kind: "queue", Can: everything, Fields: fields},
	{Kind: "flow", Can: everything, Fields: fields},
	{Kind: "brick", Can: resource.Capabilities{Create: true, Delete: true}, Fields: fields},
	{Kind: "wall", Fields: fields},
	{Kind: "script", Can: everything, Mentions: texts{}},
}

// texts name one object: queue|A.
type texts struct{}

func (texts) In(s resource.Spec) []resource.Key {
	kind, name, _ := strings.Cut(fmt.Sprint(s["text"]), "|")
	return []resource.Key{{Kind: resource.Kind(kind), Name: name}}
}

func (t texts) Renamed(s resource.Spec, now map[resource.Key]resource.Key) resource.Spec {
	out := s.Clone()
	to := now[t.In(s)[0]]
	out["text"] = string(to.Kind) + "|" + to.Name
	return out
}

var fields = []resource.Field{
	{Path: "refs", Set: true},
	{Path: "fixed", Immutable: true},
	{Path: "place.fixed", Immutable: true},
	{Path: "members", ListKey: "user"},
	{Path: "members[].fixed", Immutable: true},
}

func key(s string) resource.Key {
	k, err := resource.ParseKey(s)
	if err != nil {
		panic(err)
	}
	return k
}

// object reads "queue/A n=1 main=user/Ann refs=skill/X,skill/Y"; "-" is none.
func object(text string) *resource.Resource {
	words := strings.Fields(text)
	if words[0] == "-" {
		return nil
	}
	spec := resource.Spec{}
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		switch {
		case name == "refs":
			refs := []any{}
			for r := range strings.SplitSeq(value, ",") {
				refs = append(refs, resource.Ref{Key: key(r)})
			}
			spec[name] = refs
		case name == "rules":
			spec[name] = []any{map[string]any{"to": resource.Ref{Key: key(value)}, "prio": "1"}, map[string]any{"prio": "2"}}
		case name == "place":
			spec[name] = map[string]any{"fixed": value}
		case name == "members":
			spec[name] = []any{map[string]any{"user": value, "fixed": value}}
		case strings.Contains(value, "/"):
			spec[name] = resource.Ref{Key: key(value)}
		default:
			spec[name] = value
		}
	}
	schema := resource.KindInfo{Fields: fields}.Schema()
	return &resource.Resource{Key: key(words[0]), Spec: schema.Normalize(spec)}
}

// change reads "before > after".
func change(text string) resource.Change {
	before, after, _ := strings.Cut(text, " > ")
	return resource.Change{Before: object(before), After: object(after)}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		changes  []string
		exists   string // keys that are there besides those of the changes
		refer    map[string]string
		recreate bool
		want     []string // stage and step
		problems []string
	}{
		{name: "nothing"},
		{
			name:    "what is referred to is created first, whatever its name",
			changes: []string{"- > flow/A main=queue/B", "- > queue/B refs=user/Z,user/Y", "- > user/Y main=skill/S", "- > user/Z", "- > skill/S"},
			want:    []string{"0 create skill/S", "1 create user/Y", "1 create user/Z", "2 create queue/B", "3 create flow/A"},
		},
		{
			name:    "one kind refers to itself",
			changes: []string{"- > queue/A main=queue/B", "- > queue/B main=queue/C", "- > queue/C"},
			want:    []string{"0 create queue/C", "1 create queue/B", "2 create queue/A"},
		},
		{
			name:    "updates follow what they refer to",
			changes: []string{"user/A n=1 main=queue/Q > user/A n=2 main=queue/Q", "queue/Q n=1 > queue/Q n=2"},
			want:    []string{"0 update queue/Q (n)", "1 update user/A (n)"},
		},
		{
			name:    "updates that refer to each other keep the order of kinds",
			changes: []string{"user/A n=1 main=queue/Q > user/A n=2 main=queue/Q", "queue/Q n=1 main=user/A > queue/Q n=2 main=user/A"},
			want:    []string{"0 update user/A (n)", "0 update queue/Q (n)"},
		},
		{
			name:    "what refers is deleted first, and after everything else",
			changes: []string{"skill/S > -", "queue/Q main=user/U > -", "user/U main=skill/S > -", "- > flow/Z", "flow/A n=1 > flow/A n=2"},
			want:    []string{"0 update flow/A (n)", "0 create flow/Z", "1 delete queue/Q", "2 delete user/U", "3 delete skill/S"},
		},
		{
			name:    "unrelated deletions go backwards through the kinds",
			changes: []string{"skill/S > -", "user/U > -", "user/T > -", "flow/F > -"},
			want:    []string{"0 delete flow/F", "0 delete user/T", "0 delete user/U", "0 delete skill/S"},
		},
		{
			name:    "who lets go comes before the deletion",
			changes: []string{"skill/S > -", "queue/Q refs=skill/S,skill/T > queue/Q refs=skill/T"},
			exists:  "skill/T",
			want:    []string{"0 update queue/Q (refs[=skill/S])", "1 delete skill/S"},
		},
		{
			name:    "a name is given up before it is taken",
			changes: []string{"queue/A n=1 > queue/B n=1", "- > queue/A n=2", "- > user/new main=queue/A"},
			want:    []string{"0 rename queue/A to queue/B", "1 create queue/A", "2 create user/new"},
		},
		{
			name:    "names that differ in case are one name on some platforms",
			changes: []string{"- > queue/SUPPORT", "queue/Support > -", "- > queue/Alone"},
			want:    []string{"0 delete queue/Support", "0 create queue/Alone", "1 create queue/SUPPORT"},
		},
		{
			name:    "a rename in case alone",
			changes: []string{"queue/Support > queue/SUPPORT", "label/a > label/A"},
			want: []string{"0 delete label/a: renamed to label/A, which is created anew", "1 create label/A: renamed from label/a by creating it anew",
				"1 rename queue/Support to queue/SUPPORT"},
		},
		{
			name:    "references follow a rename by themselves",
			changes: []string{"queue/A > queue/B", "flow/F n=1 main=queue/A > flow/F n=2 main=queue/B", "flow/G main=queue/A > flow/G main=queue/B", "flow/H main=queue/A > -"},
			want:    []string{"0 rename queue/A to queue/B", "1 update flow/F (n)", "1 update flow/G", "2 delete flow/H"},
		},
		{
			name:    "texts that name what is renamed follow",
			changes: []string{"queue/A > queue/B", "script/S text=queue|A > script/S text=queue|B", "script/T n=1 text=queue|A > script/T n=2 text=queue|B"},
			want:    []string{"0 rename queue/A to queue/B", "1 update script/S", "1 update script/T (n)"},
		},
		{
			name:    "sets stay sorted when names in them follow",
			changes: []string{"queue/A > queue/Z", "queue/M n=1 > queue/M n=2", "flow/F n=1 refs=queue/A,queue/M > flow/F n=2 refs=queue/M,queue/Z"},
			want:    []string{"0 rename queue/A to queue/Z", "0 update queue/M (n)", "1 update flow/F (n)"},
		},
		{
			name:    "without ids not even those to itself",
			changes: []string{"wire/B main=wire/B > wire/A refs=user/A", "- > user/A main=wire/A"},
			want: []string{
				"0 rename wire/B to wire/A (main): breaks a circle of references by renaming alone; completed in step 3",
				"1 create user/A",
				"2 update wire/A (main, refs): completes step 1",
			},
		},
		{
			name:    "without ids they do not",
			changes: []string{"wire/A > wire/B", "flow/F main=wire/A > flow/F main=wire/B", "flow/G main=wire/A > flow/G"},
			want:    []string{"0 update flow/G (main)", "1 rename wire/A to wire/B", "2 update flow/F (main)"},
		},
		{
			name:    "two names swapped",
			changes: []string{"queue/A n=1 > queue/B n=1", "queue/B n=2 > queue/A n=3", "flow/F main=queue/A > flow/F main=queue/A n=1"},
			want: []string{
				"0 rename queue/A to queue/A~driftback: makes way for a swap of names; completed in step 3",
				"1 rename queue/B to queue/A (n)",
				"2 rename queue/A~driftback to queue/B: completes step 1",
				"2 update flow/F (main, n)",
			},
		},
		{
			name:    "two names swapped whose objects refer to themselves",
			changes: []string{"queue/A main=queue/A > queue/B main=queue/B", "queue/B main=queue/B > queue/A main=queue/A"},
			want: []string{
				"0 rename queue/A to queue/A~driftback (main): makes way for a swap of names; completed in step 3",
				"1 rename queue/B to queue/A (main)",
				"2 rename queue/A~driftback to queue/B (main): completes step 1",
			},
		},
		{
			name:    "two names swapped whose objects refer to each other",
			changes: []string{"queue/A main=queue/B > queue/B main=queue/A", "queue/B main=queue/A > queue/A main=queue/B"},
			want: []string{
				"0 rename queue/A to queue/A~driftback: makes way for a swap of names; completed in step 3",
				"1 rename queue/B to queue/A",
				"2 rename queue/A~driftback to queue/B: completes step 1",
			},
		},
		{
			name:    "the temporary name is free",
			changes: []string{"queue/A > queue/B", "queue/B > queue/A"},
			exists:  "queue/A~driftback",
			want: []string{
				"0 rename queue/A to queue/A~driftback~: makes way for a swap of names; completed in step 3",
				"1 rename queue/B to queue/A",
				"2 rename queue/A~driftback~ to queue/B: completes step 1",
			},
		},
		{
			name:    "a kind that cannot be renamed",
			changes: []string{"label/A n=1 > label/B n=1", "flow/F main=label/A > flow/F main=label/B"},
			want: []string{"0 create label/B: renamed from label/A by creating it anew", "1 update flow/F (main)",
				"2 delete label/A: renamed to label/B, which is created anew"},
		},
		{
			name:    "a kind that cannot be renamed, in a circle",
			changes: []string{"label/A main=label/A > label/B n=1 main=flow/F refs=label/B", "- > flow/F main=label/B"},
			want: []string{
				"0 create label/B: breaks a circle of references by leaving out flow/F, label/B; completed in step 3",
				"1 create flow/F",
				"2 update label/B (main, refs[=label/B]): completes step 1; renamed from label/A by creating it anew",
				"3 update label/A (main): breaks a circle of references by letting go of label/A; completed in step 5",
				"4 delete label/A: completes step 4; renamed to label/B, which is created anew",
			},
		},
		{
			name:    "a name that is given up by a rename which has to let go first",
			changes: []string{"flow/A main=flow/B > flow/B", "flow/B > -"},
			want: []string{
				"0 update flow/A (main): breaks a circle of references by letting go of flow/B; completed in step 3",
				"1 delete flow/B",
				"2 rename flow/A to flow/B: completes step 1",
			},
		},
		{
			name:    "the same for the object that takes the name of what it refers to",
			changes: []string{"flow/A main=flow/B > flow/B main=flow/B", "flow/B main=flow/A > -"},
			want: []string{
				"0 update flow/A (main): breaks a circle of references by letting go of flow/B; completed in step 3",
				"1 delete flow/B",
				"2 rename flow/A to flow/B (main): completes step 1",
			},
		},
		{
			name:    "a new object rather than one in use is incomplete for a while",
			changes: []string{"queue/Q > queue/R main=flow/F", "- > flow/F main=queue/R"},
			want: []string{
				"0 rename queue/Q to queue/R: breaks a circle of references by renaming alone; completed in step 3",
				"1 create flow/F",
				"2 update queue/R (main): completes step 1",
			},
		},
		{
			name:    "a circle of creations",
			changes: []string{"- > queue/Q main=flow/F n=1", "- > flow/F main=queue/Q refs=queue/Q"},
			want: []string{
				"0 create queue/Q: breaks a circle of references by leaving out flow/F; completed in step 3",
				"1 create flow/F",
				"2 update queue/Q (main): completes step 1",
			},
		},
		{
			name:    "elements go with the reference that is left out",
			changes: []string{"- > queue/Q rules=queue/Q"},
			want: []string{
				"0 create queue/Q: breaks a circle of references by leaving out queue/Q; completed in step 2",
				"1 update queue/Q (rules): completes step 1",
			},
		},
		{
			name:    "a circle is opened where a reference can be added later",
			changes: []string{"- > wire/W fixed=flow/F refs=user/U", "- > flow/F main=user/U", "- > user/U main=wire/W"},
			want: []string{
				"0 create user/U: breaks a circle of references by leaving out wire/W; completed in step 4",
				"1 create flow/F",
				"2 create wire/W",
				"3 update user/U (main): completes step 1",
			},
		},
		{
			name:     "a circle that cannot be opened",
			changes:  []string{"- > brick/A main=brick/B", "- > brick/B main=brick/A", "- > queue/Q main=brick/A", "- > queue/R"},
			want:     []string{"0 create queue/R"},
			problems: []string{"brick/A: objects need each other: brick/A, brick/B", "brick/B: objects need each other: brick/A, brick/B", "queue/Q: waits for a change that cannot be made: brick/A"},
		},
		{
			name:    "a circle of deletions",
			changes: []string{"queue/Q main=flow/F > -", "flow/F main=queue/Q > -"},
			want: []string{
				"0 update queue/Q (main): breaks a circle of references by letting go of flow/F; completed in step 3",
				"1 delete flow/F",
				"2 delete queue/Q: completes step 1",
			},
		},
		{
			name:    "a rename into a circle",
			changes: []string{"queue/A > queue/B main=flow/F", "- > flow/F main=queue/B"},
			want: []string{
				"0 rename queue/A to queue/B: breaks a circle of references by renaming alone; completed in step 3",
				"1 create flow/F",
				"2 update queue/B (main): completes step 1",
			},
		},
		{
			name:    "a rename of what refers to itself",
			changes: []string{"queue/A main=queue/A > queue/B main=queue/B"},
			want:    []string{"0 rename queue/A to queue/B (main)"},
		},
		{
			name:     "an immutable field",
			changes:  []string{"queue/A fixed=1 > queue/A fixed=2", "queue/B > queue/B place=1", "queue/C members=x > queue/C members=y", "flow/F main=queue/A n=1 > flow/F main=queue/A n=2"},
			want:     []string{"0 update queue/C (members[user=x], members[user=y])"},
			problems: []string{"flow/F: waits for a change that cannot be made: queue/A", "queue/A: fixed: can be set on creation only", "queue/B: place.fixed: can be set on creation only"},
		},
		{
			name:    "an immutable reference that follows a rename",
			changes: []string{"queue/A > queue/B", "flow/F fixed=queue/A > flow/F fixed=queue/B", "brick/K main=queue/A > brick/K main=queue/B"},
			want:    []string{"0 rename queue/A to queue/B", "1 update flow/F", "1 update brick/K"},
		},
		{
			name:     "an object may be created anew",
			changes:  []string{"queue/A fixed=1 > queue/A fixed=2", "flow/F main=queue/A > flow/F main=queue/A n=1"},
			recreate: true,
			want: []string{
				"0 update flow/F (main, n): breaks a circle of references by leaving out queue/A; completed in step 4",
				"1 delete queue/A: recreated, as fixed can be set on creation only",
				"2 create queue/A: recreated, as fixed can be set on creation only",
				"3 update flow/F (main): completes step 1",
			},
		},
		{
			name:     "an object created anew under another name",
			changes:  []string{"queue/A fixed=1 > queue/B fixed=2"},
			recreate: true,
			want:     []string{"0 create queue/B: recreated, as fixed can be set on creation only", "1 delete queue/A: renamed to queue/B, which is created anew"},
		},
		{
			name:     "an object created anew that others refer to",
			changes:  []string{"skill/S fixed=1 > skill/S fixed=2", "queue/A fixed=1 > queue/A fixed=2"},
			recreate: true,
			refer:    map[string]string{"queue/A": "flow/X"},
			want:     []string{"0 update skill/S (fixed)"},
			problems: []string{"queue/A: is still referred to by flow/X, which the plan does not change"},
		},
		{
			name:     "capabilities",
			changes:  []string{"- > wall/A", "wall/B n=1 > wall/B n=2", "wall/C > -", "wall/D > wall/E", "brick/A n=1 > brick/A n=2", "- > team/T", "- > thing/X", "- > brick/B"},
			want:     []string{"0 create brick/B"},
			problems: []string{"brick/A: update: not supported by the platform", "team/T: kind is not managed", "thing/X: kind is not managed", "wall/A: create: not supported by the platform", "wall/B: update: not supported by the platform", "wall/C: delete: not supported by the platform", "wall/D: rename: not supported by the platform"},
		},
		{
			name: "references that lead nowhere",
			changes: []string{"- > queue/A main=user/none", "- > queue/B refs=user/?", "- > queue/C main=user/gone", "user/gone > -", "- > queue/D main=user/old", "user/old > user/new",
				"- > queue/E main=team/T", "- > queue/F main=team/none", "- > flow/F main=queue/A", "queue/G main=user/? > -"},
			exists: "team/T",
			want:   []string{"0 rename user/old to user/new", "0 create queue/E", "1 delete queue/G"},
			problems: []string{
				"flow/F: waits for a change that cannot be made: queue/A",
				"queue/A: refers to what is not there: user/none neither exists nor is created",
				"queue/B: refers to what is not there: user/? stands for an id that leads nowhere",
				"queue/C: refers to what is not there: user/gone is deleted",
				"queue/D: refers to what is not there: user/old is renamed to user/new",
				"queue/F: refers to what is not there: team/none neither exists nor is created",
				"user/gone: is still referred to by queue/C",
			},
		},
		{
			name:     "somebody outside still refers",
			changes:  []string{"user/A > -", "user/B > -", "user/C > -", "user/D > user/E", "wire/A > wire/B", "queue/Q main=user/B > queue/Q"},
			refer:    map[string]string{"user/A": "queue/Q queue/R", "user/B": "queue/Q", "user/C": "user/C", "user/D": "queue/R", "wire/A": "queue/R"},
			want:     []string{"0 rename user/D to user/E", "0 update queue/Q (main)", "1 delete user/B", "1 delete user/C"},
			problems: []string{"user/A: is still referred to by queue/R, which the plan does not change", "wire/A: is still referred to by queue/R, which the plan does not change"},
		},
		{
			name:     "the platform strips what it says it strips",
			changes:  []string{"skill/S > -", "skill/T > -"},
			refer:    map[string]string{"skill/S": "queue/R", "skill/T": "queue/R flow/F"},
			want:     []string{"0 delete skill/S"},
			problems: []string{"skill/T: is still referred to by flow/F, which the plan does not change"},
		},
		{
			name:     "a reference outside would follow to the wrong object",
			changes:  []string{"user/new main=queue/A > user/new main=queue/A n=1", "queue/A > queue/B", "- > queue/A"},
			refer:    map[string]string{"queue/A": "flow/F user/new"},
			problems: []string{"queue/A: is still referred to by flow/F, which the plan does not change", "queue/A: waits for a change that cannot be made: queue/A", "user/new: waits for a change that cannot be made: queue/A"},
		},
		{
			name:     "a name that is taken",
			changes:  []string{"- > queue/A", "queue/B > queue/C", "- > queue/D", "queue/D > -"},
			exists:   "queue/A queue/C queue/D",
			want:     []string{"0 delete queue/D", "1 create queue/D"},
			problems: []string{"queue/A: name is taken: queue/A exists already", "queue/B: name is taken: queue/C exists already"},
		},
		{
			name:     "changes that make no sense",
			changes:  []string{"- > -", "queue/A > queue/A n=1", "queue/A > -", "queue/B > flow/B", "- > queue/C", "queue/D > queue/C", "queue/E n=1 > queue/E n=2"},
			want:     []string{"0 update queue/E (n)"},
			problems: []string{"/: not a change that can be planned: neither before nor after", "queue/A: not a change that can be planned: queue/A is changed twice", "queue/A: not a change that can be planned: queue/A is changed twice", "queue/B: not a change that can be planned: a queue cannot become flow/B", "queue/C: not a change that can be planned: queue/C is changed twice", "queue/D: not a change that can be planned: queue/C is changed twice"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := Options{
				Kinds:    kinds,
				Recreate: func(resource.Key) bool { return tt.recreate },
				Referrers: func(k resource.Key) (out []resource.Key) {
					for _, s := range strings.Fields(tt.refer[k.String()]) {
						out = append(out, key(s))
					}
					return out
				},
			}
			var changes []resource.Change
			there := map[resource.Key]bool{}
			for _, s := range tt.changes {
				c := change(s)
				changes = append(changes, c)
				if c.Before != nil {
					there[c.Before.Key] = true
				}
			}
			for _, s := range strings.Fields(tt.exists) {
				there[key(s)] = true
			}
			o.Exists = func(k resource.Key) bool { return there[k] }
			for range len(changes) + 1 {
				p, problems := Order(changes, o)
				var steps, errs []string
				for _, s := range p.Steps {
					steps = append(steps, fmt.Sprint(s.Stage, " ", s))
				}
				for _, pr := range problems {
					errs = append(errs, strings.TrimPrefix(pr.Error(), "plan "))
				}
				require.Equal(t, tt.want, steps)
				require.Equal(t, tt.problems, errs)
				carryOut(t, p, changes, tt.exists)
				if len(changes) > 0 { // the order of what comes in does not matter
					changes = append(changes[1:len(changes):len(changes)], changes[0])
				}
			}
		})
	}
}

// carryOut makes the plan on a platform where everything is as before.
func carryOut(t *testing.T, plan Plan, changes []resource.Change, exists string) {
	t.Helper()
	p := newPlatform()
	for _, s := range strings.Fields(exists) {
		p.next++
		p.objects[key(s)] = thing{id: p.next}
	}
	for _, c := range changes {
		if c.Before != nil {
			p.next++
			p.objects[c.Before.Key] = thing{id: p.next}
		}
	}
	for _, c := range changes {
		if c.Before != nil {
			p.objects[c.Before.Key] = thing{id: p.objects[c.Before.Key].id, spec: p.stored(c.Before.Spec)}
		}
	}
	for i, s := range plan.Steps {
		require.NoError(t, p.apply(s.Change), "step %d: %s", i+1, s)
	}
}
