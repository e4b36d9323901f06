package metrics

import (
	"maps"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// A remaining collects what is left of quotas at the moment of the scrape: a number that was noted at the end of a pass
// would be stale a minute later.
type remaining struct {
	desc *prometheus.Desc

	mu  sync.Mutex
	ask map[string]func() (int, bool) // by environment
}

func (f factory) remaining(name, help string, labels ...string) *remaining {
	r := &remaining{desc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil), ask: map[string]func() (int, bool){}}
	f.reg.MustRegister(r)
	return r
}

// set replaces what is asked about an environment; nil is nobody.
func (r *remaining) set(env string, ask func() (int, bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ask == nil {
		delete(r.ask, env)
		return
	}
	r.ask[env] = ask
}

// Describe implements prometheus.Collector.
func (r *remaining) Describe(out chan<- *prometheus.Desc) { out <- r.desc }

// Collect implements prometheus.Collector.
func (r *remaining) Collect(out chan<- prometheus.Metric) {
	r.mu.Lock()
	asks := maps.Clone(r.ask)
	r.mu.Unlock()
	for env, ask := range asks {
		if n, bounded := ask(); bounded {
			out <- prometheus.MustNewConstMetric(r.desc, prometheus.GaugeValue, float64(n), env)
		}
	}
}
