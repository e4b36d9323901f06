# A static binary in an empty image, run by nobody in particular.
#
#   docker build -t driftback .
#   docker run -v "$PWD/driftback.yaml:/etc/driftback/driftback.yaml:ro" -v driftback:/var/lib/driftback driftback
FROM golang:1.26-bookworm AS build
ARG VERSION=devel
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/driftback ./cmd/driftback \
 && mkdir -p /out/lib

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /zoneinfo.zip
COPY --from=build --chown=65532:65532 /out/lib /var/lib/driftback
COPY --from=build /out/driftback /driftback
ENV ZONEINFO=/zoneinfo.zip XDG_CACHE_HOME=/var/lib/driftback
USER 65532:65532
VOLUME /var/lib/driftback
EXPOSE 9650
ENTRYPOINT ["/driftback"]
CMD ["run"]
