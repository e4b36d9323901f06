package demo

import "fmt"

// The people who work there. Some of them change things by hand.
var staff = []string{
	"Nora Keller", "Luca Bernasconi", "Amelie Rochat", "Jonas Frei", "Sofia Marti", "Elias Huber", "Lea Graf", "Noah Meier", "Mia Schmid", "Leon Baumann",
	"Emma Gerber", "Tim Steiner",
}

// people are divisions, roles, people, groups and teams.
func (b *builder) people() {
	for _, d := range []string{"Claims", "Sales", "Service"} {
		b.make("division", d, value{"description": d + " of " + Company})
	}
	for _, r := range []struct{ name, domain, entity string }{
		{"Queue manager", "routing", "queue"}, {"Flow author", "architect", "flow"}, {"Campaign manager", "outbound", "campaign"}, {"Quality coach", "quality", "evaluationForm"},
	} {
		b.make("role", r.name, value{"description": r.name + " of " + Company, "permissionPolicies": []any{
			value{"domain": r.domain, "entityName": r.entity, "actionSet": []any{"view", "edit"}, "allowConditions": false},
		}})
	}
	for i, l := range []struct{ city, street, zip string }{
		{"Bern", "Bundesgasse 12", "3011"}, {"Zürich", "Hardstrasse 201", "8005"}, {"Lausanne", "Rue de Bourg 8", "1003"}, {"Lugano", "Via Nassa 3", "6900"},
	} {
		b.make("location", l.city, value{"notes": fmt.Sprintf("Site %d", i+1), "address": value{"city": l.city, "country": "CH", "street1": l.street, "zipcode": l.zip}})
	}
	home := b.org.Find("division", "Home")
	for i, name := range staff {
		b.make("user", name, value{"email": email(name), "divisionId": home, "title": []string{"Administrator", "Team lead", "Agent"}[min(i/3, 2)]})
	}
	for i, g := range []string{"Night shift", "Emergency desk", "Back office", "Supervisors", "Trainers", "Weekend"} {
		b.make("group", g, value{"type": "official", "rulesVisible": true, "visibility": "public", "description": g + " of all divisions", "ownerIds": []any{b.id("user", staff[i%3])}})
		b.link("group", g, "members", b.id("user", staff[i]), nil)
	}
	for i, t := range []string{"Motor", "Household", "Travel", "New business", "Contracts"} {
		b.make("team", t, value{"description": t + " team", "division": b.division([]string{"Claims", "Claims", "Claims", "Sales", "Service"}[i])})
	}
}

var languages = []string{"Deutsch", "Français", "Italiano", "English"}

var skills = []string{
	"Motor", "Motor fleet", "Motorcycle", "Glass damage", "Total loss", "Hail", "Household", "Water damage", "Burglary", "Fire", "Natural hazards", "Liability", "Legal protection",
	"Travel", "Travel medical", "Cancellation", "Life", "Pension", "Disability", "Health", "Dental", "Accident", "Animals", "Art", "Construction", "Transport", "Cyber",
	"New business", "Offers", "Renewals", "Cross selling", "Brokers", "Key accounts", "Retention", "Contract changes", "Address changes", "Payments", "Reminders", "Documents",
	"Complaints", "Fraud", "Recourse", "Chat", "E-mail", "Social media", "Callback", "Technical help", "Portal", "App", "Identity check", "VIP", "Trainee", "Mentor", "Emergency", "Night", "Weekend", "Marine", "Hunting", "Events", "Schools", "Farms",
}

var codes = []string{
	"Solved", "Solved with callback", "Forwarded", "Forwarded to claims", "Forwarded to sales", "Forwarded to broker", "Wrong number", "No answer", "Hung up", "Callback agreed",
	"Claim opened", "Claim added to", "Claim closed", "Claim refused", "Documents asked for", "Documents sent", "Expert sent", "Payment arranged", "Payment plan", "Payment late",
	"Address changed", "Contract changed", "Contract cancelled", "Contract renewed", "Offer made", "Offer accepted", "Offer refused", "Appointment made", "Appointment moved",
	"Complaint", "Complaint solved", "Fraud suspected", "Identity not proved", "Language not spoken", "Technical fault", "Test call", "Do not call", "Survey agreed", "Survey refused", "Other",
}

// routing are what people can do, and how calls end.
func (b *builder) routing() {
	for _, l := range languages {
		b.make("language", l, value{})
	}
	for _, s := range skills {
		b.make("skill", s, value{})
	}
	if b.env == "dev" {
		b.make("skill", "E-bike", value{}) // new, and not promoted yet
	}
	for i, c := range codes {
		b.make("wrapupcode", c, value{"description": c, "division": b.division([]string{"Claims", "Sales", "Service"}[i%3])})
	}
	for _, g := range []struct {
		name, skill string
		least       int
	}{{"Motor experts", "Motor", 4}, {"Emergency ready", "Emergency", 3}, {"Sellers", "New business", 3}} {
		b.make("skillgroup", g.name, value{"description": "Who can do " + g.skill, "skillConditions": []any{value{
			"routingSkillConditions":  []any{value{"routingSkill": g.skill, "comparator": "GreaterThanOrEqualTo", "proficiency": g.least, "childConditions": []any{}}},
			"languageSkillConditions": []any{}, "operation": "And",
		}}})
	}
}
