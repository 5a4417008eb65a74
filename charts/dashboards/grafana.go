package main

// dashboard is one page.
type dashboard struct {
	// name is the end of its uid and of its file's name.
	name, title string
	rows        []row
}

// row has panels side by side, all of a width.
type row struct {
	title  string
	panels []panel
}

// panel shows what queries answer.
type panel struct {
	title string
	// about says what it shows, and what to do about it.
	about string
	kind  kind
	unit  string
	// worst is the value from which on it is shown in red, by stat and history panels; 0 for none.
	worst   float64
	queries []query
}

// kind is how a panel shows it, in Grafana's words.
type kind string

const (
	series  kind = "timeseries"
	stat    kind = "stat"
	heat    kind = "heatmap" // of a histogram's buckets
	history kind = "status-history"
)

// query asks Prometheus; legend names its series by their labels.
type query struct{ expr, legend string }

// object is a part of Grafana's JSON, as of its schema version 39 (Grafana 10 and later).
type object = map[string]any

const (
	columns = 24 // of Grafana's grid
	height  = 8
)

func (d dashboard) file() string { return d.name + ".json" }

func (d dashboard) grafana() object {
	panels, id, y := []object{}, 0, 0
	for _, r := range d.rows {
		id++
		panels = append(panels, object{"id": id, "type": "row", "title": r.title, "collapsed": false, "panels": []object{}, "gridPos": place(0, y, columns, 1)})
		y++
		width, tall := columns/len(r.panels), height
		if r.panels[0].kind == stat {
			tall = height / 2
		}
		for i, p := range r.panels {
			id++
			panels = append(panels, p.grafana(id, place(i*width, y, width, tall)))
		}
		y += tall
	}
	return object{
		"uid": "holdfast-" + d.name, "title": "Holdfast / " + d.title, "tags": []string{"holdfast"},
		"schemaVersion": 39, "version": 1, "editable": true, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
		"time": object{"from": "now-6h", "to": "now"},
		"links": []object{{
			"type": "dashboards", "title": "Holdfast", "tags": []string{"holdfast"}, "asDropdown": true, "keepTime": true, "includeVars": true,
		}},
		"templating":  object{"list": []object{{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}}},
		"annotations": object{"list": []object{}},
		"panels":      panels,
	}
}

func place(x, y, w, h int) object { return object{"x": x, "y": y, "w": w, "h": h} }

func (p panel) grafana(id int, at object) object {
	source := object{"type": "prometheus", "uid": "${datasource}"}
	targets := make([]object, len(p.queries))
	for i, q := range p.queries {
		targets[i] = object{"refId": string(rune('A' + i)), "datasource": source, "expr": q.expr, "legendFormat": q.legend}
		if p.kind == heat {
			targets[i]["format"] = "heatmap"
		}
		if p.kind == stat {
			targets[i]["instant"] = true
		}
	}
	steps := []object{{"color": "green", "value": nil}}
	if p.worst != 0 {
		steps = append(steps, object{"color": "red", "value": p.worst})
	}
	return object{
		"id": id, "type": string(p.kind), "title": p.title, "description": p.about, "datasource": source, "gridPos": at, "targets": targets,
		"fieldConfig": object{
			"defaults":  object{"unit": p.unit, "min": 0, "color": p.color(), "thresholds": object{"mode": "absolute", "steps": steps}},
			"overrides": []object{},
		},
		"options": p.options(),
	}
}

func (p panel) color() object {
	switch p.kind {
	case stat:
		return object{"mode": "thresholds"}
	case history: // the darker, the more
		return object{"mode": "continuous-YlRd"}
	default:
		return object{"mode": "palette-classic"}
	}
}

func (p panel) options() object {
	switch p.kind {
	case stat:
		return object{"reduceOptions": object{"calcs": []string{"lastNotNull"}}, "colorMode": "value", "graphMode": "area"}
	case heat:
		return object{"calculate": false, "color": object{"scheme": "Oranges", "mode": "scheme"}, "yAxis": object{"unit": p.unit}, "tooltip": object{"mode": "single"}}
	case history:
		return object{"showValue": "never", "rowHeight": 0.9, "legend": object{"showLegend": true, "displayMode": "list", "placement": "bottom"}}
	default:
		return object{"legend": object{"displayMode": "list", "placement": "bottom"}, "tooltip": object{"mode": "multi", "sort": "desc"}}
	}
}
