//go:build unix

package rest

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/driftback/driftback/vendors"
	"github.com/driftback/driftback/vendors/resource"
)

// benchObjects is how many objects the benchmark's platform has, in pages of 100.
const benchObjects = 100_000

// benchTable is a platform with one large kind.
func benchTable() Platform {
	return Platform{
		Name: "bench",
		Paging: Paging{
			Style: ByNumber, Entities: "entities", SizeParam: "pageSize", Size: 100, PageParam: "pageNumber", Total: "total", Pages: "pageCount",
		},
		Volatile: []string{"id", "selfUri", "dateCreated", "dateModified", "modifiedBy", "createdBy", "memberCount", "userMemberCount", "joinedMemberCount"},
		Kinds: []Kind{
			{Kind: "division", Listings: []Listing{{Path: "/divisions"}}, Get: Operation{Path: "/divisions/{id}"}, ReferenceOnly: true},
			{
				Kind: "queue", Listings: []Listing{{Path: "/queues"}}, Get: Operation{Path: "/queues/{id}"}, When: "dateModified",
				Fields: []Field{
					{Field: resource.Field{Path: "division", Ref: "division"}},
					{Field: resource.Field{Path: "skills", Set: true}}, {Field: resource.Field{Path: "skills[]", Ref: "division"}},
					{Field: resource.Field{Path: "overflow", Ref: "division"}},
				},
			},
		},
	}
}

func benchID(kind, n int) string { return fmt.Sprintf("%08x-%04x-4000-8000-0123456789ab", n, kind) }

// benchObject is an object of about 1.2 KB.
func benchObject(b []byte, n int) []byte {
	return fmt.Appendf(b, `{"id":"%s","name":"Queue number %d","division":{"id":"%s","name":"Division","selfUri":"/api/v2/authorization/divisions/%s"},`+
		`"description":"Takes what the others leave, and passes it on to those who know, number %d","dateCreated":"2025-03-01T08:00:00.000Z","dateModified":"2026-03-01T08:00:00.000Z",`+
		`"modifiedBy":"%s","createdBy":"%s","memberCount":%d,"userMemberCount":%d,"joinedMemberCount":3,`+
		`"mediaSettings":{"call":{"alertingTimeoutSeconds":8,"serviceLevel":{"percentage":0.8,"durationMs":20000},"enableAutoAnswer":false},"email":{"alertingTimeoutSeconds":300,"serviceLevel":{"percentage":0.8,"durationMs":86400000}},"chat":{"alertingTimeoutSeconds":30}},`+
		`"acwSettings":{"wrapupPrompt":"MANDATORY_TIMEOUT","timeoutMs":%d},"skillEvaluationMethod":"ALL","scoringMethod":"TimestampAndPriority","autoAnswerOnly":true,"enableTranscription":false,"enableManualAssignment":false,`+
		`"skills":[{"id":"%s","name":"a"},{"id":"%s","name":"b"}],"overflow":{"id":"%s"},"bullseye":{"rings":[{"expansionCriteria":[{"type":"TIMEOUT_SECONDS","threshold":20.5}],"actions":{}}]},"selfUri":"/api/v2/routing/queues/%s"}`,
		benchID(1, n), n, benchID(0, n%20), benchID(0, n%20), n, benchID(2, n%50), benchID(2, n%51), n%40, n%40, 10000+n%7*1000,
		benchID(0, n%19), benchID(0, n%17), benchID(0, n%13), benchID(1, n))
}

// TestBenchServer is the platform of the benchmark, in a process of its own, so that its time is not ours.
func TestBenchServer(t *testing.T) {
	if os.Getenv("REST_BENCH_SERVER") == "" {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var requests atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, requests.Swap(0)) })
	list := func(total int, object func([]byte, int) []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			page, _ := strconv.Atoi(r.URL.Query().Get("pageNumber"))
			b := []byte(`{"entities":[`)
			for n := (page - 1) * 100; n < min(page*100, total); n++ {
				if n%100 > 0 {
					b = append(b, ',')
				}
				b = object(b, n)
			}
			b = fmt.Appendf(b, `],"pageNumber":%d,"pageSize":100,"total":%d,"pageCount":%d}`, page, total, (total+99)/100)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(b)
		}
	}
	mux.HandleFunc("GET /queues", list(benchObjects, benchObject))
	mux.HandleFunc("GET /divisions", list(20, func(b []byte, n int) []byte {
		return fmt.Appendf(b, `{"id":"%s","name":"Division %d"}`, benchID(0, n), n)
	}))
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark ends
		_ = l.Close()
	}()
	fmt.Println("listening http://" + l.Addr().String())
	_ = http.Serve(l, mux) //nolint:gosec // loopback
}

func benchServer(b *testing.B) string {
	b.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestBenchServer$")
	c.Env = append(os.Environ(), "REST_BENCH_SERVER=1")
	in, err := c.StdinPipe()
	require.NoError(b, err)
	out, err := c.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, c.Start())
	b.Cleanup(func() { _ = in.Close(); _ = c.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
			return url
		}
	}
	b.Fatal("the server did not begin")
	return ""
}

func cpu() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func spent(f func()) float64 {
	runtime.GC()
	begun := cpu()
	f()
	return float64(cpu() - begun)
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// eachPage reads all pages of the benchmark's platform.
func eachPage(b *testing.B, url string, page func([]byte)) {
	for n := 1; n <= benchObjects/100; n++ {
		resp, err := http.Get(fmt.Sprintf("%s/queues?pageSize=100&pageNumber=%d", url, n))
		require.NoError(b, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(b, err)
		_ = resp.Body.Close()
		page(body)
	}
}

// BenchmarkNoChange reads a platform of 100,000 objects in which nothing changed. ratio-maps is the processor's time to
// that of reading the same pages by encoding/json into maps, ratio-floor to that of one structural hash of every object and
// a look-up; ns-object is ours. B-object is what is resident of an object beyond the caller's snapshot; requests-page
// counts requests to the pages that hold the objects. Medians of interleaved rounds.
func BenchmarkNoChange(b *testing.B) {
	url := benchServer(b)
	empty := heap()
	d, err := New(benchTable(), Options{BaseURL: url})
	require.NoError(b, err)
	known, err := d.Observe(b.Context(), vendors.Request{})
	require.NoError(b, err)
	require.Equal(b, benchObjects, known.Len())
	known = known.Plain(nil)
	again, err := d.Observe(b.Context(), vendors.Request{Known: known})
	require.NoError(b, err)
	resident := heap() - empty
	requests := counted(b, url)
	table := map[ident]digest{}
	w := &walker{k: d.by["queue"], seeds: d.seeds}
	hash := func(body []byte) {
		_, err := benchTable().Paging.read(body, &w.s, func() error {
			sum, err := w.object()
			if old, ok := table[identOf(w.id)]; ok && old != sum {
				b.Error("changed")
			}
			table[identOf(w.id)] = sum
			return err
		})
		require.NoError(b, err)
	}
	maps := func(body []byte) {
		var page struct{ Entities []map[string]any }
		require.NoError(b, json.Unmarshal(body, &page))
		require.Len(b, page.Entities, 100)
	}
	eachPage(b, url, hash)
	var ours, floor, plain []float64
	_ = counted(b, url)
	for b.Loop() {
		ours = append(ours, spent(func() {
			again, err = d.Observe(b.Context(), vendors.Request{Known: known})
			require.NoError(b, err)
		}))
		requests = counted(b, url)
		floor = append(floor, spent(func() { eachPage(b, url, hash) }))
		plain = append(plain, spent(func() { eachPage(b, url, maps) }))
		_ = counted(b, url)
	}
	require.Equal(b, known.Len(), again.Len())
	b.ReportMetric(median(ours)/median(plain), "ratio-maps")
	b.ReportMetric(median(ours)/median(floor), "ratio-floor")
	b.ReportMetric(median(ours)/benchObjects, "ns-object")
	b.ReportMetric((resident-own(b, again))/benchObjects, "B-object")
	b.ReportMetric(float64(requests)/(benchObjects/100), "requests-page")
	runtime.KeepAlive(d)
}

// own is what a snapshot takes by itself.
func own(b *testing.B, s *resource.Snapshot) float64 {
	b.Helper()
	before := heap()
	var build resource.Builder
	for e := range s.Entries() {
		o := *e.Origin
		o.ID = strings.Clone(o.ID)
		build.Known(resource.Entry{Key: resource.Key{Kind: e.Key.Kind, Name: strings.Clone(e.Key.Name)}, Hash: e.Hash, Origin: &o})
	}
	out, _ := build.Snapshot(resource.Options{})
	build = resource.Builder{}
	after := heap()
	require.Equal(b, s.Len(), out.Len())
	return after - before
}

func counted(b *testing.B, url string) int {
	b.Helper()
	resp, err := http.Get(url + "/requests")
	require.NoError(b, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(b, err)
	n, err := strconv.Atoi(string(text))
	require.NoError(b, err)
	return n
}

func median(xs []float64) float64 {
	xs = slices.Clone(xs)
	slices.SortFunc(xs, cmp.Compare)
	return xs[len(xs)/2]
}
