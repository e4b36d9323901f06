package simulator

import "net/http"

func (s *Server) pageRoutes() *http.ServeMux { return http.NewServeMux() }
